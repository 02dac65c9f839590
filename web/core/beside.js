/** Which node lies next to another one, in a direction: the way about the graph with four keys. */

/** @import {Scene} from "./scene.js" */
/** @import {Box} from "./types.js" */
/** @typedef {"Left" | "Right" | "Up" | "Down"} Way */

/** How much more a step to the side counts than one ahead. */
const ASIDE = 2;

/** @param {Box} box */
const centre = (box) => ({ x: box.x + box.w / 2, y: box.y + box.h / 2 });

/**
 * The nearest node in that direction from a box; without one the first from the top left.
 * @param {Scene} scene
 * @param {Iterable<string>} ids
 * @param {Box | undefined} start
 * @param {Way} way
 * @returns {string | null}
 */
export function beside(scene, ids, start, way) {
  const [dx, dy] = { Left: [-1, 0], Right: [1, 0], Up: [0, -1], Down: [0, 1] }[way];
  let [best, nearest] = [/** @type {string | null} */ (null), Infinity];
  for (const id of ids) {
    const box = scene.nodes.box(id);
    if (!box) continue;
    const [a, b] = [start ? centre(start) : { x: 0, y: 0 }, centre(box)];
    const ahead = (b.x - a.x) * dx + (b.y - a.y) * dy;
    const aside = Math.abs((b.x - a.x) * dy) + Math.abs((b.y - a.y) * dx);
    const far = start ? (ahead > 0 ? ahead + ASIDE * aside : Infinity) : b.x + b.y;
    if (far < nearest) [best, nearest] = [id, far];
  }
  return best;
}
