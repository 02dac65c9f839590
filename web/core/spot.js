/** Where a node can be put so that it lies on no other. */

import { STATUS } from "./geometry.js";

/** @import {Grid} from "./grid.js" */
/** @import {Point} from "./types.js" */

const GAP = 16;
const STEP = 32;
const RINGS = 40;

/**
 * The free place nearest to a point, on its right and below it first; the point itself where all around is taken.
 * @param {Grid} nodes
 * @param {Point} at
 * @param {{w: number, h: number}} size
 * @returns {Point}
 */
export function freeSpot(nodes, at, { w, h }) {
  const isFree = (/** @type {Point} */ { x, y }) => nodes.query({ x: x - GAP, y: y - STATUS, w: w + 2 * GAP, h: h + 2 * STATUS }).size === 0;
  for (let ring = 0; ring <= RINGS; ring++) {
    for (const [right, down] of around(ring)) {
      const spot = { x: at.x + right * STEP, y: at.y + down * STEP };
      if (isFree(spot)) return spot;
    }
  }
  return at;
}

/** The steps of a square ring, those straight to the right and down first. @param {number} ring @returns {Iterable<[number, number]>} */
function* around(ring) {
  if (ring === 0) return yield [0, 0];
  for (let step = 0; step <= ring; step++) {
    for (const side of step === 0 ? [0] : [step, -step]) {
      yield [ring, side];
      yield [side, ring];
      yield [side, -ring];
      yield [-ring, side];
    }
  }
}
