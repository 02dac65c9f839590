/** A number: a field that can be typed in and stepped, with a slider beside it when the range is known. */

import { h } from "../dom.js";

/** @import {Control, Field} from "./index.js" */

/** @param {Field} field @returns {Control} */
export function numberControl(field) {
  const { widget, type, name } = field.input;
  const whole = type === "int";
  const [min, max] = [widget?.min ?? -Infinity, widget?.max ?? Infinity];
  const step = widget?.step ?? (whole ? 1 : 0.1);
  const limits = { min: Number.isFinite(min) ? min : null, max: Number.isFinite(max) ? max : null, step };
  const box = h("input", { type: "number", class: "field number", inputmode: whole ? "numeric" : "decimal", "aria-label": field.label, ...limits });
  const slider = Number.isFinite(min) && Number.isFinite(max) ? h("input", { type: "range", "aria-label": `${field.label}, slider`, tabindex: -1, ...limits }) : null;

  /** @param {number} value */
  const nearest = (value) => Math.min(max, Math.max(min, whole ? Math.round(value) : value));

  /** @param {unknown} value */
  const show = (value) => {
    const text = String(value ?? "");
    if (!(box === document.activeElement && box.value !== "" && Number(box.value) === value)) box.value = text;
    if (slider) {
      slider.value = text;
      slider.style.setProperty("--part", String((Number(value) - min) / (max - min || 1)));
    }
  };

  box.addEventListener("input", () => {
    const value = box.valueAsNumber;
    if (Number.isFinite(value) && value === nearest(value)) field.set(value, false);
  });
  box.addEventListener("change", () => {
    const value = box.valueAsNumber;
    if (Number.isFinite(value)) field.set(nearest(value), false);
    field.seal();
    box.value = String(field.value() ?? "");
  });
  slider?.addEventListener("input", () => field.set(nearest(slider.valueAsNumber), false));
  slider?.addEventListener("change", () => field.seal());

  const element = h("div", { class: slider ? "control slider" : "control", "data-input": name }, slider, box);
  return { element, show };
}
