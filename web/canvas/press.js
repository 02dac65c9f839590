/** A press on a painted control, handed to the control that has taken its place. */

import { isEditing } from "../dom.js";

/** Width of the thumb of a slider. */
const THUMB = 12;

/**
 * Stop a press and do it again on what is under it now. Text fields get the caret where the press was, lists open, what is
 * clicked is clicked once the pointer comes up over it.
 * @param {PointerEvent} event
 */
export function forwardPress(event) {
  const target = document.elementFromPoint(event.clientX, event.clientY);
  if (!target || target === event.target) return;
  event.stopImmediatePropagation();
  const taken = !target.dispatchEvent(new PointerEvent(event.type, event));
  // The browser would otherwise move the focus to where the press began; of a finger that moves on it makes no mouse.
  const next = new AbortController();
  addEventListener("mousedown", (down) => down.preventDefault(), { capture: true, once: true, signal: next.signal });
  addEventListener("pointerdown", () => next.abort(), { capture: true, once: true });
  if (taken) return;
  if (isEditing(target)) focusAt(/** @type {HTMLElement} */ (target), event);
  else if (target instanceof HTMLInputElement && target.type === "range") slide(target, event);
  else if (target instanceof HTMLInputElement || target.closest("button:not(.port)")) clickOnRelease(/** @type {HTMLElement} */ (target));
  else /** @type {HTMLElement | null} */ (target.closest("[tabindex]"))?.focus({ preventScroll: true });
}

/** @param {HTMLElement} field @param {PointerEvent} event */
function focusAt(field, { clientX, clientY }) {
  field.focus({ preventScroll: true });
  if (field instanceof HTMLSelectElement) return field.showPicker();
  if (!(field instanceof HTMLTextAreaElement || field instanceof HTMLInputElement) || field.type === "number") return;
  const caret = document.caretPositionFromPoint?.(clientX, clientY);
  if (caret?.offsetNode === field) field.setSelectionRange(caret.offset, caret.offset);
}

/** @param {HTMLElement} element */
function clickOnRelease(element) {
  element.focus({ preventScroll: true });
  addEventListener(
    "pointerup",
    (up) => {
      if (element.contains(document.elementFromPoint(up.clientX, up.clientY))) element.click();
    },
    { once: true },
  );
}

/** Let a slider follow the pointer. @param {HTMLInputElement} range @param {PointerEvent} event */
function slide(range, event) {
  const [min, max] = [Number(range.min), Number(range.max)];
  const follow = (/** @type {PointerEvent} */ { clientX }) => {
    const { left, width } = range.getBoundingClientRect();
    const thumb = THUMB * (width / range.offsetWidth);
    range.valueAsNumber = min + ((clientX - left - thumb / 2) / (width - thumb)) * (max - min);
    range.dispatchEvent(new Event("input"));
  };
  range.setPointerCapture(event.pointerId);
  range.onpointermove = follow;
  range.onlostpointercapture = () => {
    range.onpointermove = null;
    range.dispatchEvent(new Event("change"));
  };
  follow(event);
}
