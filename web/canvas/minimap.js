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
  const seen = h("canvas", { "aria-hidden": "true" });
  const element = h("div", { class: "map", role: "img", "aria-label": t("canvas.map") }, canvas, seen);
  /** @type {Box} */
  let world = { x: 0, y: 0, w: 1, h: 1 };
  let timer = 0;
  /** What was painted last, and in which colours. @type {Status | null} */
  let shown = null;
  let theme = view.theme;

  const fit = () => Math.min((SIZE.w - 2 * MARGIN) / world.w, (SIZE.h - 2 * MARGIN) / world.h);
  const origin = () => ({ x: (SIZE.w - world.w * fit()) / 2 - world.x * fit(), y: (SIZE.h - world.h * fit()) / 2 - world.y * fit() });

  const follow = () => {
    const box = visible(view.camera, view.size);
    const [scale, { x, y }] = [fit(), origin()];
    const [left, top] = [Math.max(0, box.x * scale + x), Math.max(0, box.y * scale + y)];
    const [right, bottom] = [Math.min(SIZE.w, (box.x + box.w) * scale + x), Math.min(SIZE.h, (box.y + box.h) * scale + y)];
    paintSeen(seen, view, { x: left, y: top, w: Math.max(4, right - left), h: Math.max(4, bottom - top) });
  };
  const paint = () => {
    timer = 0;
    shown = status();
    theme = view.theme;
    world = union([...editor.scene.nodes.boxes(), ...editor.document.frames.values()]) ?? { x: 0, y: 0, w: 1, h: 1 };
    for (const each of [canvas, seen]) [each.width, each.height] = [SIZE.w * ratio(), SIZE.h * ratio()];
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
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    go(event);
  });
  element.addEventListener("pointermove", (event) => {
    event.stopPropagation();
    if (element.hasPointerCapture(event.pointerId)) go(event);
  });
  element.addEventListener("contextmenu", (event) => (event.preventDefault(), event.stopPropagation()));
  for (const name of ["dblclick", "wheel"]) element.addEventListener(name, (event) => event.stopPropagation());

  editor.watch(soon);
  effect(() => {
    editor.selection.value;
    soon();
  });
  view.onMove(() => {
    if (!element.isConnected) return;
    follow();
    if (status() !== shown || view.theme !== theme) soon();
  });
  return { element, paint };
}

const ratio = () => devicePixelRatio || 1;

/** The part of the graph that is seen: painted, as an element that changes its size would be laid out in every frame. @param {HTMLCanvasElement} canvas @param {View} view @param {Box} box  in CSS pixels of the map */
function paintSeen(canvas, view, { x, y, w, h }) {
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const { accent } = view.theme;
  ctx.setTransform(canvas.width / SIZE.w, 0, 0, canvas.height / SIZE.h, 0, 0);
  ctx.clearRect(0, 0, SIZE.w, SIZE.h);
  ctx.beginPath();
  ctx.roundRect(x + 0.75, y + 0.75, w - 1.5, h - 1.5, 2);
  [ctx.fillStyle, ctx.strokeStyle, ctx.lineWidth] = [accent, accent, 1.5];
  ctx.globalAlpha = 0.12;
  ctx.fill();
  ctx.globalAlpha = 1;
  ctx.stroke();
}

/** @param {HTMLCanvasElement} canvas @param {View} view @param {Editor} editor @param {Status} status @param {{scale: number, x: number, y: number}} place */
function paintMap(canvas, view, editor, { run, problems }, { scale, x, y }) {
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const theme = view.theme;
  ctx.setTransform(ratio() * scale, 0, 0, ratio() * scale, ratio() * x, ratio() * y);
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
