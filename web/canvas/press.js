/** A press on a painted control, handed to the control that has taken its place. */

import { isEditing } from "../dom.js";

/**
 * Stop a press and do it again on what is under it now. Text fields get the caret where the press was, lists open, what is
 * clicked is clicked once the pointer comes up over it.
 * @param {PointerEvent} event
 */
export function forwardPress(event) {
  const target = document.elementFromPoint(event.clientX, event.clientY);
  if (!target || target === event.target) return;
  event.stopImmediatePropagation();
  // The browser would otherwise move the focus to where the press began.
  addEventListener("mousedown", (down) => down.preventDefault(), { capture: true, once: true });
  target.dispatchEvent(new PointerEvent(event.type, event));
  if (isEditing(target)) focusAt(/** @type {HTMLElement} */ (target), event);
  else if (target instanceof HTMLInputElement || target.closest("button:not(.port)")) clickOnRelease(/** @type {HTMLElement} */ (target));
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
