/** A text: one line, or a box that keeps its own undo while it has the focus. A box for prompts weighs words, completes names and counts tokens. */

import { t } from "../core/strings.js";
import { button, h } from "../dom.js";

/** @import {Control, Field} from "./index.js" */

/** @param {Field} field @returns {Control} */
export function textControl(field) {
  const long = field.input.widget?.multiline === true;
  const common = { class: "field text", "aria-label": field.label, spellcheck: "true" };
  const box = long ? h("textarea", { ...common, placeholder: field.label }) : h("input", { ...common, type: "text", spellcheck: "false" });
  box.addEventListener("input", () => field.set(box.value, false));
  box.addEventListener("change", () => field.seal());
  /** @param {unknown} value */
  const show = (value) => {
    const text = String(value ?? "");
    if (box.value !== text) box.value = text;
  };
  const element = h("div", { class: long ? "control tall" : "control", "data-input": field.input.name }, box);
  if (box instanceof HTMLTextAreaElement) box.addEventListener("focus", async () => (await import("./prompt.js")).promptKeys(box, element, field), { once: true });
  return { element, show };
}

/** A text that can also be drawn, such as "0: 7, 0.5: 5, 1: 1". @param {Field} field @returns {Control} */
export function curveControl(field) {
  const control = textControl(field);
  const draw = async () => (await import("./curve.js")).openCurve(opener, field);
  const opener = button({ label: t("curve.open", { label: field.label }), icon: "curve", class: "field-button" }, () => void draw());
  control.element.append(opener);
  return control;
}
