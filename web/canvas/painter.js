/**
 * Draws the grid, the links and every node that has no DOM at the moment: nodes too small to read, and nodes that came
 * into view this instant. Only what is on screen is drawn.
 */

import { bezier, HEADER, PADDING, PORT_ROW, WIDGET_ROW } from "../core/geometry.js";
import { visible } from "../core/camera.js";
import { isLink, own } from "../core/document.js";

/** @import {Camera} from "../core/camera.js" */
/** @import {Editor} from "../core/editor.js" */
/** @import {Run} from "../core/run.js" */
/** @import {Wire} from "../core/scene.js" */
/** @import {Box, Point} from "../core/types.js" */
/** @import {Theme} from "./theme.js" */

const DOTS = 24;
/** Below this scale a painted node shows its title only. */
const DETAIL = 0.4;
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';

/**
 * @typedef {{ctx: CanvasRenderingContext2D, size: {w: number, h: number}, ratio: number, camera: Camera, theme: Theme,
 *            editor: Editor, run: Run, failing: ReadonlySet<string>, mounted: ReadonlySet<string>, hovered: string | null}} Scenery
 */

/** @param {Scenery} scenery */
export function paintScene(scenery) {
  const { ctx, size, ratio, camera, theme, editor, mounted } = scenery;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.fillStyle = theme.canvas;
  ctx.fillRect(0, 0, size.w, size.h);
  paintDots(scenery);
  ctx.setTransform(ratio * camera.scale, 0, 0, ratio * camera.scale, ratio * camera.x, ratio * camera.y);
  const area = visible(camera, size);
  paintWires(scenery, editor.scene.wiresIn(area));
  const painted = [...editor.scene.nodes.query(area)].filter((id) => !mounted.has(id));
  if (camera.scale < DETAIL) paintFar(scenery, painted);
  else for (const id of painted) paintNear(scenery, id);
}

/** @param {Scenery} scenery */
function paintDots({ ctx, size, camera, theme }) {
  let step = DOTS * camera.scale;
  while (step < 18) step *= 2;
  ctx.fillStyle = theme.dot;
  for (let y = ((camera.y % step) + step) % step; y < size.h; y += step) {
    for (let x = ((camera.x % step) + step) % step; x < size.w; x += step) ctx.fillRect(x - 0.75, y - 0.75, 1.5, 1.5);
  }
}

/** Links of one colour are one path. @param {Scenery} scenery @param {readonly Wire[]} wires */
function paintWires({ ctx, camera, theme, editor, hovered }, wires) {
  const selection = editor.selection.peek();
  const chosen = editor.selectedWire.peek();
  /** @type {Map<string, {colour: string, width: number, alpha: number, path: Path2D}>} */
  const strokes = new Map();
  const thin = Math.min(2.25, Math.max(1, 2 / Math.sqrt(camera.scale))) / Math.max(camera.scale, 0.5);
  for (const wire of wires) {
    const picked = wire.key === chosen;
    const strong = picked || wire.key === hovered || selection.has(wire.id) || selection.has(wire.source);
    const colour = picked ? theme.accent : theme.port(wire.type);
    const key = `${colour}${strong}`;
    const stroke = strokes.get(key) ?? { colour, width: strong ? thin * 1.5 : thin, alpha: strong ? 1 : 0.62, path: new Path2D() };
    strokes.set(key, stroke);
    trace(stroke.path, wire.from, wire.to);
  }
  ctx.lineCap = "round";
  for (const { colour, width, alpha, path } of strokes.values()) {
    ctx.globalAlpha = alpha;
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.stroke(path);
  }
  ctx.globalAlpha = 1;
}

/** @param {Path2D | CanvasRenderingContext2D} path @param {Point} from @param {Point} to */
export function trace(path, from, to) {
  const [a, b, c, d] = bezier(from, to);
  path.moveTo(a.x, a.y);
  path.bezierCurveTo(b.x, b.y, c.x, c.y, d.x, d.y);
}

/** The colour of a node's edge says how it fares. @param {Scenery} scenery @param {string} id */
function edgeOf({ theme, editor, run, failing }, id) {
  const state = run.nodes.get(id)?.state;
  if (failing.has(id) || state === "failed") return theme.danger;
  return state === "running" || editor.selection.peek().has(id) ? theme.accent : theme.line;
}

/** Nodes of one edge colour are one path. @param {Scenery} scenery @param {readonly string[]} ids */
function paintFar(scenery, ids) {
  const { ctx, camera, theme, editor } = scenery;
  /** @type {Map<string, Path2D>} */
  const paths = new Map();
  for (const id of ids) {
    const { x, y, w, h } = /** @type {Box} */ (editor.scene.nodes.box(id));
    const edge = edgeOf(scenery, id);
    const path = paths.get(edge) ?? new Path2D();
    paths.set(edge, path);
    path.rect(x, y, w, h);
  }
  ctx.fillStyle = theme.head;
  for (const [edge, path] of paths) {
    ctx.strokeStyle = edge;
    ctx.lineWidth = (edge === theme.line ? 1 : 2) / camera.scale;
    ctx.fill(path);
    ctx.stroke(path);
  }
  for (const id of ids) paintTitle(scenery, id, /** @type {Box} */ (editor.scene.nodes.box(id)));
}

/** @param {Scenery} scenery @param {string} id */
function paintNear(scenery, id) {
  const { ctx, theme, editor } = scenery;
  const box = /** @type {Box} */ (editor.scene.nodes.box(id));
  const edge = edgeOf(scenery, id);
  ctx.fillStyle = theme.surface;
  ctx.strokeStyle = edge;
  ctx.lineWidth = edge === theme.line ? 1 : 2;
  ctx.beginPath();
  ctx.roundRect(box.x, box.y, box.w, box.h, 8);
  ctx.fill();
  ctx.stroke();
  paintBody(scenery, id, box);
  paintTitle(scenery, id, box);
}

/** Titles stay readable when far: they grow, up to filling the node. @param {Scenery} scenery @param {string} id @param {Box} box */
function paintTitle({ ctx, camera, theme, editor }, id, box) {
  const size = Math.min(13 / Math.min(1, camera.scale * 1.15), box.h / 3, 44);
  if (size * camera.scale < 5) return;
  const far = camera.scale < DETAIL;
  ctx.fillStyle = theme.text;
  ctx.font = `600 ${far ? size : 13}px ${FONT}`;
  ctx.textBaseline = "middle";
  const title = titleOf(editor, id);
  ctx.fillText(clip(ctx, title, box.w - 24), box.x + 12, far ? box.y + box.h / 2 : box.y + HEADER / 2, box.w - 24);
}

/** @param {Scenery} scenery @param {string} id @param {Box} box */
function paintBody({ ctx, theme, editor }, id, box) {
  const layout = editor.scene.layout(id);
  if (!layout) return;
  ctx.font = `12px ${FONT}`;
  ctx.textBaseline = "middle";
  for (const row of layout.rows) {
    const middle = box.y + row.y + Math.min(row.h, row.kind === "widget" ? WIDGET_ROW : PORT_ROW) / 2;
    if (row.kind === "widget" && row.input) {
      ctx.fillStyle = theme.field;
      const label = row.h === WIDGET_ROW;
      const left = box.x + (label ? 96 : 12);
      ctx.beginPath();
      ctx.roundRect(left, box.y + row.y + 2, box.x + box.w - 12 - left, row.h - 4, 6);
      ctx.fill();
      ctx.fillStyle = theme.text;
      const value = own(editor.document.nodes.get(id)?.inputs ?? {}, row.input.name);
      if (!isLink(value)) ctx.fillText(clip(ctx, String(value ?? ""), box.w - (left - box.x) - 28), left + 8, label ? middle : box.y + row.y + 16);
      if (!label) continue;
    }
    ctx.fillStyle = theme.muted;
    ctx.textAlign = "left";
    if (row.input) ctx.fillText(row.input.name, box.x + 12 + PADDING / 2, middle);
    ctx.textAlign = "right";
    if (row.output) ctx.fillText(row.output.name, box.x + box.w - 12 - PADDING / 2, middle);
    ctx.textAlign = "left";
  }
  for (const ref of editor.scene.ports(id)) {
    const at = editor.scene.portPoint(ref);
    if (!at) continue;
    ctx.fillStyle = theme.port(ref.type);
    ctx.beginPath();
    ctx.arc(at.x, at.y, 5, 0, 2 * Math.PI);
    ctx.fill();
  }
}

/** @param {Editor} editor @param {string} id */
export const titleOf = (editor, id) => editor.document.nodes.get(id)?.title || editor.scene.spec(id)?.title || id;

/** A text cut to a width, by halving. @param {CanvasRenderingContext2D} ctx @param {string} text @param {number} width */
function clip(ctx, text, width) {
  const line = text.length > 200 ? text.slice(0, 200) : text;
  if (ctx.measureText(line).width <= width) return line;
  let [low, high] = [0, line.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (ctx.measureText(`${line.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return `${line.slice(0, low)}…`;
}
