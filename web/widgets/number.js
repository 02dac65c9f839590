/**
 * A number: typed, also as arithmetic or as a list to sweep; stepped with arrow keys and wheel; scrubbed by dragging; with
 * a slider beside it when the range is known.
 */

import { evaluate } from "../core/expression.js";
import { isSeed, seedAfter } from "../core/seeds.js";
import { h, setAttributes } from "../dom.js";
import { t } from "../core/strings.js";

/** @import {Control, Field} from "./index.js" */

const SCRUB_PX = 4;
const BIG = 10;
/** Whether the person writes 7,5 for seven and a half; asked when needed, as the first answer takes a browser 10 ms. */
const writesComma = () => (1.5).toLocaleString().includes(",");

/** What numbers may be here. @param {Field} field */
function rangeOf({ input }) {
  const { widget, type } = input;
  const whole = type === "int";
  const seed = widget?.kind === "Seed";
  const [min, max] = seed ? [0, Number.MAX_SAFE_INTEGER] : [widget?.min ?? -Infinity, widget?.max ?? Infinity];
  const step = widget?.step ?? (whole ? 1 : 0.1);
  return { whole, seed, min, max, step, nearest: (/** @type {number} */ value) => Math.min(max, Math.max(min, whole ? Math.round(value) : Number(value.toPrecision(12)))) };
}

/** The field for a number. @param {Field} field @returns {{box: HTMLInputElement, show: (value: unknown) => void}} */
export function numberBox(field) {
  const range = rangeOf(field);
  const { whole, seed, min, max, step, nearest } = range;
  const finite = (/** @type {number} */ value) => (Number.isFinite(value) ? value : null);
  const box = h("input", {
    type: "text", role: "spinbutton", class: "field number", inputmode: whole ? "numeric" : "decimal", autocomplete: "off", spellcheck: "false",
    "aria-label": field.label, "aria-valuemin": finite(min), "aria-valuemax": finite(max), title: t("widget.numberHint"),
  });

  /** Whether there is text that is not taken yet. */
  let typing = false;
  /** @param {unknown} value */
  const show = (value) => {
    if (!typing) box.value = String(value ?? "");
    setAttributes(box, { "aria-valuenow": typeof value === "number" ? value : null });
  };
  const now = () => Number(field.value() ?? field.input.default ?? 0) || 0;
  /** Whether what is there is more than a number holds exactly. */
  const long = () => typeof field.value() === "string" && isSeed(field.value());
  /** What is there in place of what was typed. */
  const back = () => {
    typing = false;
    field.seal();
    box.value = String(field.value() ?? field.input.default ?? "");
  };
  const tell = (/** @type {string} */ typed) => void import("./expected.js").then(({ tellExpected }) => tellExpected(box, field, range, typed));
  const take = () => {
    const digits = box.value.trim();
    if (seed && isSeed(digits) && digits.length > 15) {
      field.set(seedAfter(digits, 0), false);
      return back();
    }
    const shares = max <= 1 ? box.value.replace(/[%％]\s*$/, "/100") : box.value.replace(/[%％]\s*$/, "");
    const value = evaluate(!whole && writesComma() ? shares.replace(/^(\s*[-+]?\d+),(\d+\s*)$/, "$1.$2") : shares);
    if (value !== null) field.set(nearest(value), false);
    else if (field.sweepCount(box.value) > 1) field.setSweep(box.value);
    else if (digits !== "") return tell(box.value);
    if (value !== null && (value < min || value > max)) tell(box.value);
    back();
  };
  const add = (/** @type {number} */ steps) => {
    if (typing) take();
    field.set(long() ? seedAfter(/** @type {string} */ (field.value()), steps) : nearest(now() + steps * step), false);
  };
  box.addEventListener("input", () => (typing = true));
  box.addEventListener("change", take);
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") take();
    else if (event.key === "Escape") back();
    const steps = /** @type {Record<string, number>} */ ({ ArrowUp: 1, ArrowDown: -1, PageUp: BIG, PageDown: -BIG })[event.key];
    if (steps === undefined || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    add(steps * (event.shiftKey ? BIG : event.altKey ? 1 / BIG : 1));
  });
  box.addEventListener("blur", back);
  box.addEventListener(
    "wheel",
    (event) => {
      if (box !== document.activeElement || event.ctrlKey) return;
      event.preventDefault();
      event.stopPropagation();
      add(-Math.sign(event.deltaY) * (event.shiftKey ? BIG : 1));
    },
    { passive: false },
  );
  scrub(box, now, (value) => long() || field.set(nearest(value), false), step, () => field.seal());
  return { box, show };
}

/**
 * Dragging sideways over a number that is not being typed in changes it; a press without a drag begins typing.
 * @param {HTMLInputElement} box
 * @param {() => number} now
 * @param {(value: number) => void} set
 * @param {number} step
 * @param {() => void} done
 */
function scrub(box, now, set, step, done) {
  /** @type {{value: number, moved: boolean} | null} */
  let start = null;
  let [x, pointer] = [0, -1];
  /** Escape and undo take it back. @param {KeyboardEvent} event */
  const back = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (event.key === "Escape" || ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z")) box.releasePointerCapture(pointer);
  };
  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || box === document.activeElement) return;
    event.preventDefault();
    [x, pointer] = [event.clientX, event.pointerId];
    box.setPointerCapture(pointer);
  });
  // It does not get it when the view takes the pointer, to be moved itself.
  box.addEventListener("gotpointercapture", () => {
    start = { value: now(), moved: false };
    addEventListener("keydown", back, { capture: true });
  });
  box.addEventListener("pointermove", (event) => {
    if (!start) return;
    const far = event.clientX - x;
    if (!start.moved && Math.abs(far) > SCRUB_PX) {
      start.moved = true;
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    }
    if (start.moved) set(start.value + Math.trunc(far / SCRUB_PX) * step * (event.shiftKey ? BIG : event.altKey ? 1 / BIG : 1));
  });
  const end = () => {
    const { moved } = start ?? { moved: true };
    start = null;
    if (moved) return done();
    box.focus({ preventScroll: true });
    box.select();
  };
  box.addEventListener("pointerup", end);
  box.addEventListener("lostpointercapture", () => {
    removeEventListener("keydown", back, { capture: true });
    if (start?.moved) set(start.value);
    if (start) done();
    start = null;
  });
}

/** @param {Field} field @returns {Control} */
export function numberControl(field) {
  const { min, max, step, nearest } = rangeOf(field);
  const { box, show: showBox } = numberBox(field);
  const known = Number.isFinite(min) && Number.isFinite(max);
  const slider = known ? h("input", { type: "range", "aria-label": t("widget.slider", { label: field.label }), tabindex: -1, min, max, step }) : null;
  /** @param {unknown} value */
  const show = (value) => {
    showBox(value);
    if (!slider) return;
    slider.value = String(value ?? "");
    slider.style.setProperty("--part", String(Math.min(1, Math.max(0, (Number(value) - min) / (max - min || 1)))));
  };
  slider?.addEventListener("input", () => field.set(nearest(slider.valueAsNumber), false));
  slider?.addEventListener("change", () => field.seal());
  return { element: h("div", { class: slider ? "control slider" : "control", "data-input": field.input.name }, slider, box), show };
}
