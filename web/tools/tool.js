/** What a tool is: what the pointer does from going down to coming up. Born at the press, gone at the release. */

import { STATUS } from "../core/geometry.js";
import { union } from "../core/grid.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {Box, Point, PortRef} from "../core/types.js" */
/** @import {View} from "../canvas/view.js" */
/**
 * @typedef {{move: (at: Point, event: MouseEvent) => void, end: (at: Point, event: PointerEvent) => void,
 *            cancel: () => void, follows?: boolean}} Tool
 *   `at` in screen units, from the corner of the view; `follows`: the view moves along when it comes near an edge
 * @typedef {{at: Point, from: PortRef | null}} Request  for a node to be added
 * @typedef {{view: View, editor: Editor, ask: (request: Request) => void, snaps: () => boolean}} Bench  what tools work with; `snaps`: whether nodes are to keep to the grid
 */

const CLICK = 4;
/** How near an edge the view begins to move, and how fast, in pixels. */
const EDGE = 32;
const SPEED = 0.4;
const FASTEST = 16;

/** Whether a press that moved that far is no click any more. @param {Point} a @param {Point} b */
export const apart = (a, b) => Math.hypot(a.x - b.x, a.y - b.y) > CLICK;

/** How far the view moves in a frame, with the pointer there. @param {Point} at @param {{w: number, h: number}} size @returns {Point} */
export function edgePull(at, size) {
  const pull = (/** @type {number} */ from, /** @type {number} */ room) => Math.max(0, EDGE - from) * -SPEED + Math.max(0, EDGE - (room - from)) * SPEED;
  const capped = (/** @type {number} */ by) => Math.max(-FASTEST, Math.min(FASTEST, by));
  return { x: capped(pull(at.x, size.w)), y: capped(pull(at.y, size.h)) };
}

/** The box between two points. @param {Point} a @param {Point} b @returns {Box} */
export const between = (a, b) => ({ x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), w: Math.abs(a.x - b.x), h: Math.abs(a.y - b.y) });

/** The part of the world on the screen. @param {View} view @returns {Box} */
export const inView = (view) => ({ ...view.toWorld({ x: 0, y: 0 }), w: view.size.w / view.camera.scale, h: view.size.h / view.camera.scale });

/** The box around nodes, their status lines included. @param {Editor} editor @param {Iterable<string>} ids */
export const boxOf = (editor, ids) => union([...ids].flatMap((id) => {
  const box = editor.scene.nodes.box(id);
  return box ? [{ ...box, h: box.h + STATUS }] : [];
}));
