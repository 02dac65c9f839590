/** In the place of a control whose input takes several values one after the other: the list of them. */

import { button, h, setText } from "../dom.js";
import { t } from "../core/strings.js";

/** @import {Control, Field} from "./index.js" */

/** The control, which gives way to the list while there is one. @param {Field} field @param {Control} control @returns {Control} */
export function sweepable(field, control) {
  /** @type {{box: HTMLInputElement | HTMLTextAreaElement, measure: () => void} | null} */
  let made = null;
  const make = () => {
    const long = field.input.widget?.multiline === true;
    const common = { class: "field", "aria-label": t("sweep.label", { label: field.label }), title: t("sweep.hint"), spellcheck: "false" };
    const box = long ? h("textarea", common) : h("input", { ...common, type: "text" });
    const count = h("span", { class: "sweep-count" });
    const measure = () => {
      const values = field.sweepCount(box.value);
      setText(count, values === 0 ? "?" : `×${values}`);
      box.setAttribute("aria-invalid", String(values === 0));
    };
    box.addEventListener("input", measure);
    box.addEventListener("change", () => field.setSweep(box.value));
    const clear = button({ label: t("sweep.clear", { label: field.label }), icon: "close", class: "field-button" }, () => field.setSweep(""));
    control.element.append(h("div", { class: "sweep-box" }, box, count, clear));
    return { box, measure };
  };
  return {
    element: control.element,
    show: (value) => {
      const text = field.sweep();
      control.element.classList.toggle("swept", text !== "");
      if (text !== "") {
        const parts = (made ??= make());
        if (parts.box.value !== text) parts.box.value = text;
        parts.measure();
      }
      control.show(value);
    },
  };
}
