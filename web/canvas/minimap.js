/** The whole graph in a corner of the view, and which part of it is seen. A press or a drag there moves the view. */

import { union } from "../core/grid.js";
import { visible } from "../core/camera.js";
import { effect } from "../core/store.js";
import { h } from "../dom.js";
import { t } from "../core/strings.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {Box} from "../core/types.js" */
/** @import {Status, View} from "./view.js" */

const SIZE = { w: 200, h: 140 };
const MARGIN = 6;
/** Milliseconds after a change until the map shows it. */
const DELAY = 200;

/** @param {View} view @param {Editor} editor @param {() => Status} status */
export function minimap(view, editor, status) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const seen = h("div", { class: "map-seen" });
  const element = h("div", { class: "map", role: "img", "aria-label": t("canvas.map") }, canvas, seen);
  /** @type {Box} */
  let world = { x: 0, y: 0, w: 1, h: 1 };
  let timer = 0;
  /** What was painted last. @type {Status | null} */
  let shown = null;

  const fit = () => Math.min((SIZE.w - 2 * MARGIN) / world.w, (SIZE.h - 2 * MARGIN) / world.h);
  const origin = () => ({ x: (SIZE.w - world.w * fit()) / 2 - world.x * fit(), y: (SIZE.h - world.h * fit()) / 2 - world.y * fit() });

  const follow = () => {
    const box = visible(view.camera, view.size);
    const [scale, { x, y }] = [fit(), origin()];
    const [left, top] = [Math.max(0, box.x * scale + x), Math.max(0, box.y * scale + y)];
    seen.style.transform = `translate(${left}px, ${top}px)`;
    seen.style.width = `${Math.max(4, Math.min(SIZE.w, (box.x + box.w) * scale + x) - left)}px`;
    seen.style.height = `${Math.max(4, Math.min(SIZE.h, (box.y + box.h) * scale + y) - top)}px`;
  };
  const paint = () => {
    timer = 0;
    shown = status();
    world = union([...editor.scene.nodes.boxes(), ...editor.document.frames.values()]) ?? { x: 0, y: 0, w: 1, h: 1 };
    paintMap(canvas, view, editor, shown, { scale: fit(), ...origin() });
    follow();
  };
  const soon = () => {
    if (element.isConnected) timer ||= window.setTimeout(paint, DELAY);
  };

  const go = (/** @type {PointerEvent} */ event) => {
    const rect = element.getBoundingClientRect();
    const { x, y } = origin();
    const at = { x: (event.clientX - rect.left - x) / fit(), y: (event.clientY - rect.top - y) / fit() };
    view.setCamera({ ...view.camera, x: view.size.w / 2 - at.x * view.camera.scale, y: view.size.h / 2 - at.y * view.camera.scale });
  };
  element.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    element.setPointerCapture(event.pointerId);
    go(event);
  });
  element.addEventListener("pointermove", (event) => {
    if (element.hasPointerCapture(event.pointerId)) go(event);
  });
  for (const name of ["dblclick", "wheel"]) element.addEventListener(name, (event) => event.stopPropagation());

  editor.watch(soon);
  effect(() => {
    editor.selection.value;
    soon();
  });
  view.onMove(() => {
    if (!element.isConnected) return;
    follow();
    if (status() !== shown) soon();
  });
  return { element, paint };
}

/** @param {HTMLCanvasElement} canvas @param {View} view @param {Editor} editor @param {Status} status @param {{scale: number, x: number, y: number}} place */
function paintMap(canvas, view, editor, { run, problems }, { scale, x, y }) {
  const ratio = devicePixelRatio || 1;
  [canvas.width, canvas.height] = [SIZE.w * ratio, SIZE.h * ratio];
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const theme = view.theme;
  ctx.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
  for (const frame of editor.document.frames.values()) {
    ctx.fillStyle = theme.tint(frame.colour) ?? theme.muted;
    ctx.globalAlpha = 0.25;
    ctx.fillRect(frame.x, frame.y, frame.w, frame.h);
  }
  ctx.globalAlpha = 1;
  const selection = editor.selection.peek();
  /** @type {Map<string, Path2D>} */
  const paths = new Map();
  for (const id of editor.document.nodes.keys()) {
    const box = editor.scene.nodes.box(id);
    if (!box) continue;
    const state = run.nodes.get(id)?.state;
    const bad = problems.has(id) || state === "failed";
    const colour = bad ? theme.danger : selection.has(id) || state === "running" ? theme.accent : (theme.tint(editor.document.places.get(id)?.colour) ?? theme.muted);
    const path = paths.get(colour) ?? new Path2D();
    paths.set(colour, path);
    path.rect(box.x, box.y, box.w, box.h);
  }
  for (const [colour, path] of paths) {
    ctx.fillStyle = colour;
    ctx.fill(path);
  }
}
