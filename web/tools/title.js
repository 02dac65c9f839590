/** Writing the title of a frame, in the place where it is drawn. */

import { toScreen } from "../core/camera.js";
import { h } from "../dom.js";
import { t } from "../core/strings.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {View} from "../canvas/view.js" */

/** @param {View} view @param {Editor} editor @param {string} id */
export function editTitle(view, editor, id) {
  const frame = editor.document.frames.get(id);
  if (!frame) return;
  const at = toScreen(view.camera, frame);
  const box = h("input", { class: "frame-title-box", value: frame.title, "aria-label": t("action.rename") });
  box.style.transform = `translate(${Math.max(8, at.x)}px, ${Math.max(8, at.y)}px)`;
  box.style.width = `${Math.max(120, frame.w * view.camera.scale)}px`;
  const before = document.activeElement;
  let done = false;
  const finish = (/** @type {boolean} */ keep) => {
    if (done) return;
    done = true;
    box.remove();
    const now = editor.document.frames.get(id);
    if (keep && now && box.value !== now.title) editor.edit([{ kind: "frame", id, frame: { ...now, title: box.value } }]);
  };
  box.addEventListener("blur", () => finish(true));
  box.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
    finish(event.key === "Enter");
    /** @type {HTMLElement} */ (before?.isConnected && view.element.contains(before) ? before : view.element).focus({ preventScroll: true });
  });
  view.element.append(box);
  box.focus({ preventScroll: true });
  box.select();
}
