/**
 * What lies over the painted world and changes while the rest stands still: links under the pointer, a link being drawn, the
 * box of a selection, nodes that are being dragged, and nodes at work with their progress and the picture they form.
 */

import { toScreen } from "../core/camera.js";
import { HEADER, STATUS } from "../core/geometry.js";
import { DETAIL, wireWidth } from "./look.js";
import { statusText } from "./status.js";
import { trace } from "./wires.js";

/** @import {Camera} from "../core/camera.js" */
/** @import {NodeRun} from "../core/run.js" */
/** @import {Wire} from "../core/scene.js" */
/** @import {Box, Point} from "../core/types.js" */
/** @import {Ink} from "./ink.js" */
/** @import {Theme} from "./theme.js" */
/** @import {LinkStyle} from "./wires.js" */
/**
 * @typedef {{from: Point, to: Point, type: string, reversed: boolean}} Drawn  a link being drawn
 * @typedef {{link?: Drawn, links?: readonly Drawn[], box?: Box, lasso?: readonly Point[], cut?: readonly Point[],
 *            guides?: readonly {x1: number, y1: number, x2: number, y2: number}[], ghosts?: readonly Box[],
 *            note?: {text: string, at: Point}}} Overlay  box, lasso, cut and note in screen units; guides, and ghosts of frames, in the world
 * @typedef {{box: Box, run: NodeRun, inDom: boolean, picture: ImageBitmap | null, room: number}} Working  a node at work; room: under it, for its picture
 * @typedef {{ctx: CanvasRenderingContext2D, ratio: number, camera: Camera, theme: Theme, ink: Ink, links: LinkStyle}} Sheet
 */

/** @param {Sheet} sheet  Let world units be the units of drawing. */
function toWorldUnits({ ctx, ratio, camera }) {
  const zoom = ratio * camera.scale;
  ctx.setTransform(zoom, 0, 0, zoom, ratio * camera.x, ratio * camera.y);
}

/** Links that stand out. @param {Sheet} sheet @param {readonly {wire: Wire, picked: boolean}[]} wires */
export function drawWires(sheet, wires) {
  const { ctx, camera, theme, links } = sheet;
  toWorldUnits(sheet);
  ctx.lineCap = "round";
  ctx.lineWidth = wireWidth(camera.scale) * 1.5;
  for (const { wire, picked } of wires) {
    ctx.strokeStyle = picked ? theme.accent : theme.port(wire.type);
    ctx.beginPath();
    trace(ctx, wire.from, wire.to, links === "hidden" ? "curved" : links);
    ctx.stroke();
  }
}

/** Nodes, seen from far, that a link being drawn would fit. @param {Sheet} sheet @param {readonly Box[]} boxes */
export function drawLit(sheet, boxes) {
  const { ctx, camera, theme } = sheet;
  toWorldUnits(sheet);
  ctx.strokeStyle = theme.accent;
  ctx.lineWidth = 2 / camera.scale;
  ctx.beginPath();
  for (const { x, y, w, h } of boxes) ctx.rect(x, y, w, h);
  ctx.stroke();
}

/** Links between what is dragged and what stays. @param {Sheet} sheet @param {Iterable<Wire>} wires @param {ReadonlySet<string>} lifted @param {Point} offset */
export function drawTethers(sheet, wires, lifted, offset) {
  const { ctx, camera, theme, links } = sheet;
  if (links === "hidden") return;
  toWorldUnits(sheet);
  const moved = (/** @type {Point} */ point) => ({ x: point.x + offset.x, y: point.y + offset.y });
  /** @type {Map<string, Path2D>} */
  const paths = new Map();
  for (const { type, source, id, from, to } of wires) {
    const path = paths.get(type) ?? new Path2D();
    paths.set(type, path);
    trace(path, lifted.has(source) ? moved(from) : from, lifted.has(id) ? moved(to) : to, links);
  }
  ctx.lineCap = "round";
  ctx.lineWidth = wireWidth(camera.scale) * 1.5;
  for (const [type, path] of paths) {
    ctx.strokeStyle = theme.port(type);
    ctx.stroke(path);
  }
}

/** What a gesture shows. @param {Sheet} sheet @param {Overlay} overlay */
export function drawGesture(sheet, { link, links = [], box, lasso, cut, guides = [], ghosts = [] }) {
  const { ctx, ratio, camera, theme } = sheet;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  for (const each of link ? [link, ...links] : links) {
    const [from, to] = [each.from, each.to].map((point) => toScreen(camera, point));
    ctx.strokeStyle = theme.port(each.type);
    ctx.lineWidth = 2.5;
    ctx.lineCap = "round";
    ctx.beginPath();
    trace(ctx, each.reversed ? to : from, each.reversed ? from : to);
    ctx.stroke();
  }
  ctx.strokeStyle = theme.accent;
  ctx.fillStyle = theme.accent;
  ctx.lineWidth = 1;
  drawGuides(sheet, guides, ghosts);
  if (cut) {
    ctx.strokeStyle = theme.danger;
    ctx.lineWidth = 2;
    ctx.beginPath();
    polyline(ctx, cut);
    ctx.stroke();
  }
  if (!box && !lasso) return;
  ctx.beginPath();
  if (box) ctx.rect(box.x + 0.5, box.y + 0.5, box.w, box.h);
  polyline(ctx, lasso ?? []);
  ctx.stroke();
  ctx.globalAlpha = 0.1;
  ctx.fill();
  ctx.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} ctx @param {readonly Point[]} points */
function polyline(ctx, points) {
  for (const [index, { x, y }] of points.entries()) index === 0 ? ctx.moveTo(x, y) : ctx.lineTo(x, y);
}

/** Lines that show what is in line with what, and frames on their way. @param {Sheet} sheet @param {NonNullable<Overlay["guides"]>} guides @param {readonly Box[]} ghosts */
function drawGuides({ ctx, camera }, guides, ghosts) {
  ctx.setLineDash([4, 4]);
  ctx.beginPath();
  for (const { x1, y1, x2, y2 } of guides) {
    const [a, b] = [toScreen(camera, { x: x1, y: y1 }), toScreen(camera, { x: x2, y: y2 })];
    ctx.moveTo(Math.round(a.x) + 0.5, Math.round(a.y) + 0.5);
    ctx.lineTo(Math.round(b.x) + 0.5, Math.round(b.y) + 0.5);
  }
  for (const ghost of ghosts) {
    const at = toScreen(camera, ghost);
    ctx.roundRect(at.x, at.y, ghost.w * camera.scale, ghost.h * camera.scale, 8 * camera.scale);
  }
  ctx.stroke();
  ctx.setLineDash([]);
}

/** Nodes at work: an edge, how far they are, and the picture so far; what the node's DOM says is not said again. @param {Sheet} sheet @param {readonly Working[]} working */
export function drawWorking(sheet, working) {
  const { ctx, camera, theme, ink } = sheet;
  toWorldUnits(sheet);
  const { scale } = camera;
  for (const { box, run, inDom, picture, room } of working) {
    if (picture) drawPicture(ctx, theme, box, picture, scale, room);
    if (inDom) continue;
    ctx.strokeStyle = theme.accent;
    ctx.lineWidth = Math.max(2, 2 / scale);
    ctx.beginPath();
    ctx.roundRect(box.x, box.y, box.w, box.h, scale < DETAIL ? 0 : 8);
    ctx.stroke();
    const thick = Math.max(3, 4 / scale);
    const top = scale < DETAIL ? box.y + box.h - thick : box.y + HEADER - thick;
    const part = run.total ? (run.step ?? 0) / run.total : 0.3;
    ctx.fillStyle = theme.accent;
    ctx.fillRect(box.x, top, box.w * part, thick);
    if (scale < DETAIL) continue;
    ink.use(ctx, 12);
    ctx.textAlign = "right";
    ink.line(ctx, statusText(run), box.x + box.w - 13, box.y + HEADER / 2, box.w / 2);
    ctx.textAlign = "left";
  }
}

/** Less than this is no picture, in world units. */
const LEAST = 40;

/**
 * A picture that belongs to a node: under it, as far as no other node lies there, or, from far, in its place.
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} ctx @param {Theme} theme @param {Box} box @param {ImageBitmap} picture @param {number} scale
 * @param {number} room  height there is under the node
 */
export function drawPicture(ctx, theme, box, picture, scale, room) {
  const under = scale >= DETAIL;
  if (under && room < LEAST) return;
  const fit = Math.min(box.w / picture.width, (under ? room : box.h) / picture.height);
  const [w, h] = [picture.width * fit, picture.height * fit];
  const [x, y] = under ? [box.x, box.y + box.h + STATUS] : [box.x + (box.w - w) / 2, box.y + (box.h - h) / 2];
  ctx.fillStyle = theme.field;
  ctx.fillRect(x, y, w, h);
  ctx.drawImage(picture, x, y, w, h);
}
