/** Taking nodes and frames away, and what elsewhere led to them. */

import { removeNodes } from "./edits.js";
import { framesCarriedBy, removeFrames } from "./frames.js";
import { withoutNodes } from "./interface.js";
import { removePorts } from "./ports.js";

/** @import {Change, Document} from "./document.js" */

/**
 * Take nodes away with the frames that carry nothing else, or that one frame.
 * @param {Document} document
 * @param {ReadonlySet<string>} ids
 * @param {string | null} frame
 * @returns {Change[]}
 */
export function removal(document, ids, frame) {
  const frames = new Set([...framesCarriedBy(document, ids), ...(frame === null ? [] : [frame])]);
  return [...removeFrames(document, frames), ...removeNodes(document, ids), ...forgotten(document, ids)];
}

/** What goes with nodes elsewhere: parameters of the workflow, ports of the component. @param {Document} document @param {ReadonlySet<string>} ids @returns {Change[]} */
export function forgotten(document, ids) {
  const { level } = document;
  const ports = document.components.get(level);
  const gone = (/** @type {"inputs" | "outputs"} */ side) =>
    [...new Set((ports?.[side] ?? []).filter((port) => ids.has(port.node)).map((port) => port.name))].filter(
      (name) => !ports?.[side].some((port) => port.name === name && !ids.has(port.node)),
    );
  return [...withoutNodes(document, ids), ...removePorts(document, level, { inputs: gone("inputs"), outputs: gone("outputs") })];
}
