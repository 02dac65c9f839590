/**
 * Paints a part of the world: canvas and dots, frames, links, and every node, in full where it can be read, else as a box
 * with a title as large as it allows. Tiles are made of this; so it depends on nothing but what is asked for.
 */

import { halfOctave } from "../core/camera.js";
import { HEADER, STATUS } from "../core/geometry.js";
import { overlap } from "../core/grid.js";
import { DETAIL, isOff, titleOf, roomUnder, wireWidth } from "./look.js";
import { paintNear } from "./near.js";
import { drawPicture } from "./overlay.js";
import { trace } from "./wires.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {Run} from "../core/run.js" */
/** @import {Wire} from "../core/scene.js" */
/** @import {Box, Problem} from "../core/types.js" */
/** @import {Ctx, Ink} from "./ink.js" */
/** @import {Pictures} from "./pictures.js" */
/** @import {Theme} from "./theme.js" */
/** @import {LinkStyle} from "./wires.js" */

const DOTS = 24;
/** How far a port reaches beyond its node; how wide a node with a picture is at most. */
const PORT = 8;
const WIDE = 640;
/** Below this scale links are straight. */
const CURVED = 0.12;

/**
 * @typedef {{ctx: Ctx, ink: Ink, theme: Theme, scale: number, editor: Editor, run: Run,
 *            problems: ReadonlyMap<string, readonly Problem[]>, lifted: ReadonlySet<string>, covered: ReadonlySet<string>, links: LinkStyle,
 *            pictures: Pictures}} Scenery
 */

/** Everything in an area but what is lifted off it or covered. @param {Scenery} scenery @param {Box} area */
export function paintWorld(scenery, area) {
  const { ctx, theme, editor, lifted, covered } = scenery;
  ctx.fillStyle = theme.canvas;
  ctx.fillRect(area.x, area.y, area.w, area.h);
  paintDots(scenery, area);
  paintFrames(scenery, area);
  const loose = (/** @type {Wire} */ wire) => !lifted.has(wire.id) && !lifted.has(wire.source);
  paintWires(scenery, lifted.size > 0 ? editor.scene.wiresIn(area).filter(loose) : editor.scene.wiresIn(area));
  paintNodes(scenery, [...editor.scene.nodes.query(around(scenery, area))].filter((id) => !lifted.has(id) && !covered.has(id)), area);
}

/** Where nodes may lie that reach into an area: with their edge all around and ports to the sides, with status and picture below. @param {Scenery} scenery @param {Box} area @returns {Box} */
function around({ pictures, scale }, { x, y, w, h }) {
  const above = pictures.size > 0 ? 2 * WIDE : 2 * STATUS;
  const beside = PORT / Math.min(1, scale);
  return { x: x - beside, y: y - above, w: w + 2 * beside, h: h + above + beside };
}

/** What is lifted, with the links between its nodes, on nothing. @param {Scenery} scenery @param {Box} area */
export function paintLifted(scenery, area) {
  const { editor, lifted } = scenery;
  paintWires(scenery, editor.scene.wiresIn(area).filter((wire) => lifted.has(wire.id) && lifted.has(wire.source)));
  paintNodes(scenery, [...editor.scene.nodes.query(around(scenery, area))].filter((id) => lifted.has(id)), area);
}

/** @param {Scenery} scenery @param {string[]} ids @param {Box} area */
function paintNodes(scenery, ids, area) {
  const { scene } = scenery.editor;
  ids.sort((a, b) => scene.order(a) - scene.order(b));
  if (scenery.scale < DETAIL) paintFar(scenery, ids);
  paintPictures(scenery, ids);
  if (scenery.scale >= DETAIL) for (const id of ids) paintNear(scenery, id, titleOf(scenery.editor, id), edgeOf(scenery, id), area);
}

/** @param {Scenery} scenery @param {Box} area */
function paintDots({ ctx, scale, theme }, area) {
  let step = DOTS;
  while (step * scale < 18) step *= 2;
  const size = 1.5 / scale;
  ctx.fillStyle = theme.dot;
  ctx.beginPath();
  for (let y = Math.floor(area.y / step) * step; y < area.y + area.h + size; y += step) {
    for (let x = Math.floor(area.x / step) * step; x < area.x + area.w + size; x += step) ctx.rect(x - size / 2, y - size / 2, size, size);
  }
  ctx.fill();
}

/** Frames lie behind the nodes, the larger behind the smaller; their titles stay readable from far. @param {Scenery} scenery @param {Box} area */
function paintFrames({ ctx, ink, theme, scale, editor }, area) {
  const chosen = editor.document.frames.get(editor.selectedFrame.peek() ?? "");
  const frames = [...editor.document.frames.values()].filter((frame) => overlap(frame, area));
  frames.sort((a, b) => b.w * b.h - a.w * a.h);
  for (const frame of frames) {
    const { title, x, y, w, h, colour } = frame;
    const tint = theme.tint(colour) ?? theme.muted;
    ctx.beginPath();
    ctx.roundRect(x, y, w, h, 8);
    ctx.fillStyle = tint;
    ctx.globalAlpha = 0.1;
    ctx.fill();
    ctx.globalAlpha = frame === chosen ? 1 : 0.5;
    ctx.strokeStyle = frame === chosen ? theme.accent : tint;
    ctx.lineWidth = (frame === chosen ? 2 : 1) * Math.max(1, 1 / scale);
    ctx.stroke();
    ctx.globalAlpha = 1;
    const size = Math.min(Math.max(14, 13 / scale), h / 3);
    ctx.fillStyle = theme.text;
    ink.use(ctx, size, 600);
    ink.line(ctx, title, x + Math.min(12, size), y + Math.max(HEADER / 2, size * 0.8), w - 2 * Math.min(12, size));
  }
}

/** Links of one colour are one path. @param {Scenery} scenery @param {readonly Wire[]} wires */
function paintWires({ ctx, scale, theme, editor, links }, wires) {
  if (links === "hidden") return;
  const selection = editor.selection.peek();
  const style = scale < CURVED ? "straight" : links;
  /** @type {Map<string, {colour: string, strong: boolean, path: Path2D}>} */
  const strokes = new Map();
  for (const wire of wires) {
    const strong = selection.has(wire.id) || selection.has(wire.source);
    const colour = theme.port(wire.type);
    const key = `${colour}${strong}`;
    const stroke = strokes.get(key) ?? { colour, strong, path: new Path2D() };
    strokes.set(key, stroke);
    trace(stroke.path, wire.from, wire.to, style);
  }
  ctx.lineCap = "round";
  for (const { colour, strong, path } of strokes.values()) {
    ctx.globalAlpha = strong ? 1 : 0.62;
    ctx.strokeStyle = colour;
    ctx.lineWidth = wireWidth(scale) * (strong ? 1.5 : 1);
    ctx.stroke(path);
  }
  ctx.globalAlpha = 1;
}

/** How a node fares, for its edge and, from far, its fill. @param {Scenery} scenery @param {string} id @returns {"failed" | "selected" | "ran" | "cached" | ""} */
function edgeOf({ editor, run, problems }, id) {
  const state = run.nodes.get(id)?.state;
  if (state === "failed" || problems.has(id)) return "failed";
  if (editor.selection.peek().has(id)) return "selected";
  return state === "ran" || state === "cached" ? state : "";
}

/** Nodes that look alike are one path. @param {Scenery} scenery @param {readonly string[]} ids */
function paintFar(scenery, ids) {
  const { ctx, theme, editor, scale } = scenery;
  /** @type {Map<string, {path: Path2D, fill: string, edge: string}>} */
  const looks = new Map();
  const strips = { ran: new Path2D(), cached: new Path2D(), failed: new Path2D() };
  const strip = Math.max(4, 3 / scale);
  for (const id of ids) {
    const { x, y, w, h } = /** @type {Box} */ (editor.scene.nodes.box(id));
    const edge = edgeOf(scenery, id);
    const colour = editor.document.places.get(id)?.colour;
    const off = isOff(editor, id);
    const key = `${edge === "ran" || edge === "cached" ? "" : edge}\0${colour ?? ""}\0${off}`;
    const look = looks.get(key) ?? {
      path: new Path2D(),
      fill: off ? theme.canvas : (theme.tinted(colour) ?? (edge === "failed" ? theme.dangerSoft : theme.head)),
      edge: edge === "failed" ? theme.danger : edge === "selected" ? theme.accent : theme.line,
    };
    looks.set(key, look);
    look.path.rect(x, y, w, h);
    if (edge === "ran" || edge === "cached" || edge === "failed") strips[edge].rect(x, y, strip, h);
  }
  for (const { path, fill, edge } of looks.values()) {
    ctx.fillStyle = fill;
    ctx.fill(path);
    ctx.strokeStyle = edge;
    ctx.lineWidth = (edge === theme.line ? 1 : 2) / scale;
    ctx.stroke(path);
  }
  for (const [state, path] of Object.entries(strips)) {
    ctx.fillStyle = state === "failed" ? theme.danger : state === "ran" ? theme.accent : theme.muted;
    ctx.fill(path);
  }
  for (const id of ids) paintFarTitle(scenery, id, /** @type {Box} */ (editor.scene.nodes.box(id)), strip);
}

/** Titles grow as the view draws back, up to filling the node, over two lines when they must. @param {Scenery} scenery @param {string} id @param {Box} box @param {number} inset */
function paintFarTitle({ ctx, ink, scale, theme, editor }, id, box, inset) {
  const size = Math.min(13 / Math.min(1, halfOctave(scale) * 1.15), box.h > HEADER ? box.h / 3 : 0.75 * box.h, 52);
  if (size * scale < 5) return;
  ctx.fillStyle = theme.text;
  ctx.globalAlpha = isOff(editor, id) ? 0.6 : 1;
  ink.use(ctx, size, 600);
  const rows = Math.max(1, Math.min(2, Math.floor(box.h / (size * 1.2))));
  const room = box.w - 2 * inset - 12;
  const title = titleOf(editor, id);
  if (rows === 1 || ink.width(ctx, title) <= room) ink.line(ctx, title, box.x + inset + 6, box.y + box.h / 2, room);
  else ink.block(ctx, title, box.x + inset + 6, box.y + box.h / 2 - size * 1.2, room, size * 2.4, size * 1.2);
  ctx.globalAlpha = 1;
}

/** What nodes made. @param {Scenery} scenery @param {readonly string[]} ids */
function paintPictures({ ctx, theme, scale, editor, pictures, run }, ids) {
  if (pictures.size === 0) return;
  for (const id of ids) {
    const picture = run.nodes.get(id)?.state === "running" ? null : pictures.get(id);
    const box = /** @type {Box} */ (editor.scene.nodes.box(id));
    if (picture) drawPicture(ctx, theme, box, picture, scale, roomUnder(editor.scene, box));
  }
}
