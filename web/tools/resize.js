/** Making a node, or a frame, larger or smaller. */

import { resized } from "../core/frames.js";
import { layoutOf, MIN_WIDTH } from "../core/geometry.js";
import { snapped } from "../core/tidy.js";

/** @import {Change} from "../core/document.js" */
/** @import {Editor} from "../core/editor.js" */
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

/** Make the selected frame, else the selected nodes, larger or smaller: nodes as far as what they show allows. @param {Editor} editor @param {Point} by @param {string} gesture */
export function growSelected(editor, by, gesture) {
  const { frames } = editor.document;
  const id = editor.selectedFrame.peek();
  const frame = frames.get(id ?? "");
  if (id !== null && frame) return editor.edit([{ kind: "frame", id, frame: resized(frame, frame.w + by.x, frame.h + by.y) }], gesture);
  editor.edit([...editor.selection.peek()].flatMap((each) => grownNode(editor, each, by)), gesture);
}

/** @param {Editor} editor @param {string} id @param {Point} by @returns {Change[]} */
function grownNode({ document, scene }, id, by) {
  const [box, node, place] = [scene.nodes.box(id), document.nodes.get(id), document.places.get(id)];
  if (!box || !node || !place || place.collapsed) return [];
  const to = { ...place, ...(by.x === 0 ? { h: box.h + by.y } : { w: Math.max(MIN_WIDTH, box.w + by.x) }) };
  const { w, h } = layoutOf(scene.spec(id), node, to);
  return w === box.w && h === box.h ? [] : [{ kind: "place", id, place: to }];
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
