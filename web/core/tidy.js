/** Putting nodes in order by hand: snap to neighbours, push aside. */

import { STATUS } from "./geometry.js";
import { overlap } from "./grid.js";

/** @import {Change, Document} from "./document.js" */
/** @import {Scene} from "./scene.js" */
/** @import {Box, Place, Point} from "./types.js" */
/** @typedef {"left" | "centre" | "right" | "top" | "middle" | "bottom"} Edge */
/** @typedef {{x1: number, y1: number, x2: number, y2: number}} Guide  a line, in the world */

const GRID = 8;
const GAP = 24;

/** To the grid. @param {number} value */
export const snapped = (value) => Math.round(value / GRID) * GRID;

/** Where an edge of a box is, on the axis it is about. @type {Readonly<Record<Edge, (box: Box) => number>>} */
export const AT = {
  left: (box) => box.x,
  centre: (box) => box.x + box.w / 2,
  right: (box) => box.x + box.w,
  top: (box) => box.y,
  middle: (box) => box.y + box.h / 2,
  bottom: (box) => box.y + box.h,
};
/** @type {readonly Edge[]} */
export const SIDEWAYS = ["left", "centre", "right"];

/** @param {Document} document @param {string} id @param {Partial<Point>} to @returns {Change} */
export const moved = (document, id, to) => ({ kind: "place", id, place: /** @type {Place} */ ({ ...document.places.get(id), ...to }) });

/**
 * How far a box that is being moved has to go to be in line with a neighbour, and the lines that show it.
 * @param {readonly Box[]} others
 * @param {Box} box
 * @param {number} reach  how near an edge must come
 * @returns {{x: number | null, y: number | null, guides: Guide[]}}
 */
export function snapToNeighbours(others, box, reach) {
  const nearest = (/** @type {readonly Edge[]} */ edges) => {
    let [best, shift, by] = [reach, /** @type {number | null} */ (null), /** @type {Box | null} */ (null)];
    for (const edge of edges) {
      const at = AT[edge];
      const own = at(box);
      for (const other of others) {
        const away = at(other) - own;
        if (Math.abs(away) < best) [best, shift, by] = [Math.abs(away), away, other];
      }
    }
    return { shift, by };
  };
  const [across, down] = [nearest(["left", "right", "centre"]), nearest(["top", "bottom", "middle"])];
  const placed = { ...box, x: box.x + (across.shift ?? 0), y: box.y + (down.shift ?? 0) };
  return { x: across.shift, y: down.shift, guides: [...(across.by ? linesX(placed, across.by) : []), ...(down.by ? linesY(placed, down.by) : [])] };
}

/** @param {Box} a @param {Box} b @returns {Guide[]} */
function linesX(a, b) {
  const [y1, y2] = [Math.min(a.y, b.y), Math.max(a.y + a.h, b.y + b.h)];
  return SIDEWAYS.filter((edge) => Math.abs(AT[edge](a) - AT[edge](b)) < 0.5).map((edge) => ({ x1: AT[edge](a), y1, x2: AT[edge](a), y2 }));
}

/** @param {Box} a @param {Box} b @returns {Guide[]} */
function linesY(a, b) {
  const [x1, x2] = [Math.min(a.x, b.x), Math.max(a.x + a.w, b.x + b.w)];
  const edges = /** @type {const} */ (["top", "middle", "bottom"]);
  return edges.filter((edge) => Math.abs(AT[edge](a) - AT[edge](b)) < 0.5).map((edge) => ({ x1, y1: AT[edge](a), x2, y2: AT[edge](a) }));
}

/**
 * Move aside, to the right, whatever lies under a node that was put down, and what that comes to lie on.
 * @param {Document} document
 * @param {Scene} scene
 * @param {string} id
 * @returns {Change[]}
 */
export function pushAside(document, scene, id) {
  /** @type {Map<string, number>} new x */
  const moves = new Map();
  const boxOf = (/** @type {string} */ each) => {
    const box = /** @type {Box} */ (scene.nodes.box(each));
    return { ...box, x: moves.get(each) ?? box.x, h: box.h + STATUS };
  };
  const open = [id];
  for (let next = open.shift(); next !== undefined && moves.size < 500; next = open.shift()) {
    const box = boxOf(next);
    const pushed = { ...box, w: box.w + GAP };
    const strip = { x: box.x - 4096, y: box.y, w: 8192 + box.w, h: box.h };
    for (const other of scene.nodes.query(strip)) {
      if (other === id || other === next || document.places.get(other)?.pinned) continue;
      const there = boxOf(other);
      const ahead = next === id ? there.x + there.w / 2 >= box.x + box.w / 4 : there.x >= /** @type {Box} */ (scene.nodes.box(next)).x;
      if (!overlap(pushed, there) || !ahead) continue;
      moves.set(other, snapped(box.x + box.w + GAP + GRID / 2));
      open.push(other);
    }
  }
  return [...moves].map(([each, x]) => moved(document, each, { x }));
}
