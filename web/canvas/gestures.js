/** What a wheel, a trackpad or two fingers make of the camera: pure functions, in pixels from the corner of the view. */

import * as cameras from "../core/camera.js";

/** @import {Camera} from "../core/camera.js" */
/** @import {Point} from "../core/types.js" */
/** @typedef {Pick<WheelEvent, "deltaX" | "deltaY" | "deltaMode" | "ctrlKey" | "metaKey" | "shiftKey">} Turn */

/** Pixels of a line, where a wheel counts lines. */
const LINE = 33;
/** Part of the scale a pixel of turning changes: of a notched wheel, and of fingers on a trackpad, which turn by less. */
const NOTCHED = 0.0015;
const SMOOTH = 0.01;

/**
 * A notched wheel zooms; a trackpad pans, and zooms when pinched, which browsers report as Ctrl; with Shift either pans sideways.
 * @param {Camera} camera @param {Turn} turn @param {Point} at @returns {Camera}
 */
export function wheel(camera, turn, at) {
  const { deltaX, deltaY, deltaMode } = turn;
  const unit = deltaMode === 0 ? 1 : LINE;
  const notched = deltaMode !== 0 || (deltaX === 0 && Math.abs(deltaY) >= 50 && Number.isInteger(deltaY));
  const zoomed = (/** @type {number} */ speed) => cameras.zoomAt(camera, at, Math.exp(-deltaY * unit * speed));
  if (turn.ctrlKey || turn.metaKey) return zoomed(notched ? NOTCHED : SMOOTH);
  if (turn.shiftKey) return cameras.pan(camera, -(deltaX || deltaY) * unit, 0);
  return notched ? zoomed(NOTCHED) : cameras.pan(camera, -deltaX, -deltaY);
}

/**
 * Two fingers, one of which moved: what was under each stays under it.
 * @param {Camera} camera @param {Point} before  of the one that moved @param {Point} after @param {Point} other @returns {Camera}
 */
export function pinch(camera, before, after, other) {
  const spread = (/** @type {Point} */ point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
  const middle = { x: (after.x + other.x) / 2, y: (after.y + other.y) / 2 };
  const moved = cameras.pan(camera, (after.x - before.x) / 2, (after.y - before.y) / 2);
  return cameras.zoomAt(moved, middle, spread(after) / spread(before));
}

/**
 * Between two cameras: the middle of the view goes straight, the scale by equal factors.
 * @param {Camera} from @param {Camera} to @param {number} part in 0..1 @param {{w: number, h: number}} size @returns {Camera}
 */
export function between(from, to, part, size) {
  const middle = { x: size.w / 2, y: size.h / 2 };
  const [a, b] = [cameras.toWorld(from, middle), cameras.toWorld(to, middle)];
  const scale = from.scale * (to.scale / from.scale) ** part;
  const world = { x: a.x + (b.x - a.x) * part, y: a.y + (b.y - a.y) * part };
  return { x: middle.x - world.x * scale, y: middle.y - world.y * scale, scale };
}
