/** What the painters agree on: from where details are shown, how wide links are, what nodes are called. */

import { STATUS } from "../core/geometry.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {Scene} from "../core/scene.js" */
/** @import {Box} from "../core/types.js" */

/** Below this scale a painted node shows its title only. */
export const DETAIL = 0.4;

/** Width of a link in world units: thinner from far, never invisible. @param {number} scale */
export const wireWidth = (scale) => Math.min(2.25, Math.max(1, 2 / Math.sqrt(scale))) / Math.max(scale, 0.5);

/** How far ports reach beside a node, and its status or problem under it, in world units. */
const BESIDE = 8;
const UNDER = 40;

/** Where a node may paint: its box, its ports beside it, status and picture under it. @param {Box} box @returns {Box} */
export const reachOf = ({ x, y, w, h }) => ({ x: x - BESIDE, y, w: w + 2 * BESIDE, h: h + UNDER + w });

/** How high a picture under a node may be before it would cover another node. @param {Scene} scene @param {Box} box  of the node @returns {number} */
export function roomUnder(scene, { x, y, w, h }) {
  const top = y + h + STATUS;
  let room = w;
  for (const id of scene.nodes.query({ x, y: top, w, h: w })) {
    const other = /** @type {Box} */ (scene.nodes.box(id));
    if (other.y > y + h) room = Math.min(room, other.y - top - BESIDE);
  }
  return room;
}

/** Whether a node takes no part in a run. @param {Editor} editor @param {string} id */
export const isOff = (editor, id) => {
  const mode = editor.document.nodes.get(id)?.mode;
  return mode === "mute" || mode === "bypass";
};

/** @param {Editor} editor @param {string} id */
export const titleOf = (editor, id) => editor.document.nodes.get(id)?.title || editor.scene.spec(id)?.title || id;

/** How the engine's words name the nodes of the sheet on the table. @param {Editor} editor @returns {import("../core/reasons.js").Naming} */
export const namingOf = (editor) => (id, title) => (editor.document.nodes.has(id) ? titleOf(editor, id) : title);
