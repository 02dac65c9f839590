/** The view of the world: screen = world * scale + offset, in CSS pixels. Pure functions on a frozen value. */

/** @import {Box, Point} from "./types.js" */
/** @typedef {{x: number, y: number, scale: number}} Camera */

export const MIN_SCALE = 0.02;
export const MAX_SCALE = 2.5;

/** @param {Camera} camera @param {Point} screen @returns {Point} */
export const toWorld = (camera, screen) => ({
  x: (screen.x - camera.x) / camera.scale,
  y: (screen.y - camera.y) / camera.scale,
});

/** @param {Camera} camera @param {Point} world @returns {Point} */
export const toScreen = (camera, world) => ({
  x: world.x * camera.scale + camera.x,
  y: world.y * camera.scale + camera.y,
});

/** The camera moved by less than a device pixel so that bitmaps lie on whole ones. @param {Camera} camera @param {number} ratio device pixels a CSS pixel @returns {Camera} */
export const snapped = ({ x, y, scale }, ratio) => ({ x: Math.round(x * ratio) / ratio, y: Math.round(y * ratio) / ratio, scale });

/** The octave of a scale, not above it: what is painted while zooming is painted at these, never more than is seen. @param {number} scale */
export const octave = (scale) => 2 ** Math.floor(Math.log2(scale));

/** The half octave a scale is nearest to. @param {number} scale */
export const halfOctave = (scale) => 2 ** (Math.round(2 * Math.log2(scale)) / 2);

/** The part of the world on a screen of that size. @param {Camera} camera @param {{w: number, h: number}} size @returns {Box} */
export function visible(camera, size) {
  const { x, y } = toWorld(camera, { x: 0, y: 0 });
  return { x, y, w: size.w / camera.scale, h: size.h / camera.scale };
}

/** @param {Camera} camera @param {number} dx @param {number} dy @returns {Camera} */
export const pan = (camera, dx, dy) => ({ ...camera, x: camera.x + dx, y: camera.y + dy });

/** Zoom by a factor, the world point under `at` staying where it is. @param {Camera} camera @param {Point} at @param {number} factor @returns {Camera} */
export function zoomAt(camera, at, factor) {
  const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, camera.scale * factor));
  const world = toWorld(camera, at);
  return { x: at.x - world.x * scale, y: at.y - world.y * scale, scale };
}

/**
 * Show a box whole and centred, never larger than that.
 * @param {Box} box
 * @param {{w: number, h: number}} size
 * @param {number} largest scale
 * @param {number} margin CSS pixels kept free on every side
 * @returns {Camera}
 */
export function fit(box, size, largest = 1, margin = 24) {
  const room = { w: Math.max(1, size.w - 2 * margin), h: Math.max(1, size.h - 2 * margin) };
  const scale = Math.max(MIN_SCALE, Math.min(largest, room.w / Math.max(1, box.w), room.h / Math.max(1, box.h)));
  return {
    x: Math.round((size.w - box.w * scale) / 2 - box.x * scale),
    y: Math.round((size.h - box.h * scale) / 2 - box.y * scale),
    scale,
  };
}
