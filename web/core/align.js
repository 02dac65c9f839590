/** Bringing nodes to one line, and making the gaps between them equal. */

import { AT, moved, SIDEWAYS } from "./tidy.js";

/** @import {Change, Document} from "./document.js" */
/** @import {Scene} from "./scene.js" */
/** @import {Edge} from "./tidy.js" */
/** @import {Box} from "./types.js" */

/**
 * Bring an edge of all nodes to one line: the outermost, or for centres the mean.
 * @param {Document} document
 * @param {Scene} scene
 * @param {Iterable<string>} ids
 * @param {Edge} edge
 * @returns {Change[]}
 */
export function align(document, scene, ids, edge) {
  const boxes = boxesOf(scene, ids);
  if (boxes.length < 2) return [];
  const at = boxes.map(([, box]) => AT[edge](box));
  const mean = at.reduce((sum, value) => sum + value, 0) / at.length;
  const line = edge === "left" || edge === "top" ? Math.min(...at) : edge === "right" || edge === "bottom" ? Math.max(...at) : mean;
  const axis = SIDEWAYS.includes(edge) ? "x" : "y";
  return boxes.map(([id, box]) => moved(document, id, { [axis]: Math.round(box[axis] + line - AT[edge](box)) }));
}

/**
 * Make the gaps between nodes equal, the outer two staying where they are.
 * @param {Document} document
 * @param {Scene} scene
 * @param {Iterable<string>} ids
 * @param {"x" | "y"} axis
 * @returns {Change[]}
 */
export function distribute(document, scene, ids, axis) {
  const size = axis === "x" ? "w" : "h";
  const boxes = boxesOf(scene, ids).sort(([, a], [, b]) => a[axis] - b[axis]);
  if (boxes.length < 3) return [];
  const [first, last] = [boxes[0][1], boxes[boxes.length - 1][1]];
  const filled = boxes.reduce((sum, [, box]) => sum + box[size], 0);
  const gap = (last[axis] + last[size] - first[axis] - filled) / (boxes.length - 1);
  let at = first[axis];
  return boxes.map(([id, box]) => {
    const change = moved(document, id, { [axis]: Math.round(at) });
    at += box[size] + gap;
    return change;
  });
}

/** @param {Scene} scene @param {Iterable<string>} ids @returns {[string, Box][]} */
const boxesOf = (scene, ids) => [...ids].flatMap((id) => {
  const box = scene.nodes.box(id);
  return box ? [/** @type {[string, Box]} */ ([id, box])] : [];
});
