/** What the painters agree on: from where details are shown, how wide links are, what nodes are called. */

/** @import {Editor} from "../core/editor.js" */
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

/** Whether a node takes no part in a run. @param {Editor} editor @param {string} id */
export const isOff = (editor, id) => {
  const mode = editor.document.nodes.get(id)?.mode;
  return mode === "mute" || mode === "bypass";
};

/** @param {Editor} editor @param {string} id */
export const titleOf = (editor, id) => editor.document.nodes.get(id)?.title || editor.scene.spec(id)?.title || id;
