/** A switch between yes and no. */

import { h } from "../dom.js";

/** @import {Control, Field} from "./index.js" */

/** @param {Field} field @returns {Control} */
export function toggleControl(field) {
  const box = h("input", { type: "checkbox", role: "switch", class: "toggle", "aria-label": field.label });
  box.addEventListener("change", () => field.set(box.checked, true));
  return {
    element: h("div", { class: "control end", "data-input": field.input.name }, box),
    show: (value) => {
      box.checked = value === true;
    },
  };
}
