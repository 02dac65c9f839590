/** The line of a link: a curve, a straight line, one with corners, or none. */

import { bezier } from "../core/geometry.js";

/** @import {Point} from "../core/types.js" */
/** @typedef {"curved" | "straight" | "angled" | "hidden"} LinkStyle */

/** Add the line between two ports to a path. @param {Path2D | CanvasPath} path @param {Point} from @param {Point} to @param {LinkStyle} style */
export function trace(path, from, to, style = "curved") {
  path.moveTo(from.x, from.y);
  if (style === "straight") return path.lineTo(to.x, to.y);
  const [, b, c] = bezier(from, to);
  if (style === "angled") {
    const middle = (from.y + to.y) / 2;
    const corners = to.x >= from.x ? [(from.x + to.x) / 2] : [b.x, c.x];
    path.lineTo(corners[0], from.y);
    if (corners.length > 1) path.lineTo(b.x, middle), path.lineTo(c.x, middle);
    path.lineTo(/** @type {number} */ (corners.at(-1)), to.y);
    return path.lineTo(to.x, to.y);
  }
  path.bezierCurveTo(b.x, b.y, c.x, c.y, to.x, to.y);
}
