/** A seed: a whole number that can be typed, and drawn at random. */

import { button, h } from "../dom.js";
import { t } from "../core/strings.js";

/** @import {Control, Field} from "./index.js" */

/** Drawn seeds lie below this: short enough to read, say and type. */
const DRAWN = 1_000_000_000;

/** @param {Field} field @returns {Control} */
export function seedControl(field) {
  const box = h("input", { type: "number", class: "field number", min: 0, step: 1, inputmode: "numeric", "aria-label": field.label });
  const draw = button({ label: t("widget.random"), icon: "dice", class: "field-button" }, () => {
    field.set(crypto.getRandomValues(new Uint32Array(1))[0] % DRAWN, true);
  });

  /** @param {unknown} value */
  const show = (value) => {
    if (box.value === "" || Number(box.value) !== value) box.value = String(value ?? "");
  };
  const take = () => {
    const value = box.valueAsNumber;
    if (Number.isSafeInteger(value) && value >= 0) field.set(value, false);
  };
  box.addEventListener("input", take);
  box.addEventListener("change", () => {
    take();
    field.seal();
    box.value = String(field.value() ?? "");
  });
  return { element: h("div", { class: "control", "data-input": field.input.name }, box, draw), show };
}
