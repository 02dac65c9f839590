/** A text: one line, or a box that keeps its own undo while it has the focus. A box for prompts weighs words, completes names and counts tokens. */

import { h } from "../dom.js";
import { curveButton, knotsOf } from "./curve.js";
import { promptKeys } from "./prompt.js";

/** @import {Control, Field} from "./index.js" */

/** @param {Field} field @returns {Control} */
export function textControl(field) {
  const long = field.input.widget?.multiline === true;
  const common = { class: "field text", "aria-label": field.label, spellcheck: "true" };
  const box = long ? h("textarea", { ...common, placeholder: field.input.name }) : h("input", { ...common, type: "text", spellcheck: "false" });
  box.addEventListener("input", () => field.set(box.value, false));
  box.addEventListener("change", () => field.seal());
  /** @type {HTMLElement | null} */
  let curve = null;
  /** @param {unknown} value */
  const show = (value) => {
    const text = String(value ?? "");
    if (box.value !== text) box.value = text;
    if (!long && knotsOf(text) && !curve) element.append((curve = curveButton(field)));
    curve?.toggleAttribute("hidden", knotsOf(text) === null);
  };
  const element = h("div", { class: long ? "control tall" : "control", "data-input": field.input.name }, box);
  if (box instanceof HTMLTextAreaElement) promptKeys(box, element, field);
  return { element, show };
}
