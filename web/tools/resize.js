/** Making a node, or a frame, larger or smaller. */

import { resized } from "../core/frames.js";
import { MIN_WIDTH } from "../core/geometry.js";
import { snapped } from "../core/tidy.js";

/** @import {Change} from "../core/document.js" */
/** @import {Frame, Place, Point} from "../core/types.js" */
/** @import {Bench, Tool} from "./tool.js" */

/** @param {Bench} bench @param {string} id @param {Point} start @returns {Tool} */
export function resizeTool(bench, id, start) {
  const box = bench.editor.scene.nodes.box(id) ?? { w: MIN_WIDTH, h: 0 };
  const place = bench.editor.document.places.get(id) ?? { x: 0, y: 0 };
  const change = (/** @type {Place} */ to) => /** @type {Change} */ ({ kind: "place", id, place: to });
  return growing(bench, start, (dx, dy) => change({ ...place, w: Math.max(MIN_WIDTH, snapped(box.w + dx)), h: snapped(box.h + dy) }), change(place));
}

/** @param {Bench} bench @param {string} id @param {Point} start @returns {Tool} */
export function resizeFrameTool(bench, id, start) {
  const frame = /** @type {Frame} */ (bench.editor.document.frames.get(id));
  const change = (/** @type {Frame} */ to) => /** @type {Change} */ ({ kind: "frame", id, frame: to });
  return growing(bench, start, (dx, dy) => change(resized(frame, snapped(frame.w + dx), snapped(frame.h + dy))), change(frame));
}

/**
 * @param {Bench} bench
 * @param {Point} start
 * @param {(dx: number, dy: number) => Change} grown
 * @param {Change} before
 * @returns {Tool}
 */
function growing({ view, editor }, start, grown, before) {
  const gesture = `resize\0${performance.now()}`;
  return {
    move(at) {
      const { scale } = view.camera;
      editor.edit([grown((at.x - start.x) / scale, (at.y - start.y) / scale)], gesture);
    },
    end() {
      editor.seal();
    },
    cancel() {
      editor.edit([before], gesture);
      editor.seal();
    },
  };
}
