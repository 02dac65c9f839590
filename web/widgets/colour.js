/** A colour, as "#rrggbb". */

import { h } from "../dom.js";

/** @import {Control, Field} from "./index.js" */

/** @param {Field} field @returns {Control} */
export function colourControl(field) {
  const box = h("input", { type: "color", class: "field colour", "aria-label": field.label });
  box.addEventListener("input", () => field.set(box.value, false));
  box.addEventListener("change", () => field.seal());
  return {
    element: h("div", { class: "control", "data-input": field.input.name }, box),
    show: (value) => {
      box.value = /^#[\da-f]{6}$/i.test(String(value)) ? String(value) : "#000000";
    },
  };
}
