/** Automatic arrangement of nodes where they are, frames and what they carry kept together. */

import { FRAME_HEAD, framesCarriedBy } from "./frames.js";
import { STATUS } from "./geometry.js";
import { layered } from "./layered.js";
import { linksOf } from "./level.js";
import { snapped } from "./tidy.js";

/** @import {Change, Document} from "./document.js" */
/** @import {Edge, Item} from "./layered.js" */
/** @import {Scene} from "./scene.js" */
/** @import {Frame, Point} from "./types.js" */
/** @typedef {{w: number, h: number, nodes: Map<string, Point>, frames: Map<string, {x: number, y: number, w: number, h: number}>}} Drawing */

const GAP = { x: 64, y: 16 };
const PADDING = 24;

/**
 * Places for the given nodes, and for the frames that carry nothing else, right and below a corner.
 * @param {Document} document
 * @param {Scene} scene
 * @param {readonly string[]} ids
 * @param {Point} corner
 * @returns {Change[]}
 */
export function arrange(document, scene, ids, corner) {
  const inside = new Set(ids);
  const frames = new Set(framesCarriedBy(document, inside));
  const homeOf = (/** @type {string | undefined} */ frame) => (frame !== undefined && frames.has(frame) ? frame : "");
  /** @type {Map<string, string[]>} */
  const nodesOf = new Map([["", []], ...[...frames].map((id) => /** @type {[string, string[]]} */ ([id, []]))]);
  for (const id of ids) nodesOf.get(homeOf(document.places.get(id)?.frame))?.push(id);
  const drawing = draw(document, scene, "", nodesOf, homeOf);
  const at = (/** @type {Point} */ point) => ({ x: snapped(corner.x + point.x), y: snapped(corner.y + point.y) });
  return [
    ...[...drawing.nodes].map(([id, point]) => /** @type {Change} */ ({ kind: "place", id, place: { ...document.places.get(id), ...at(point) } })),
    ...[...drawing.frames].map(([id, box]) => {
      const frame = /** @type {Frame} */ (document.frames.get(id));
      return /** @type {Change} */ ({ kind: "frame", id, frame: { ...frame, ...at(box), w: box.w, h: box.h } });
    }),
  ];
}

/**
 * @param {Document} document
 * @param {Scene} scene
 * @param {string} home  a frame, or "" for none
 * @param {ReadonlyMap<string, readonly string[]>} nodesOf
 * @param {(frame: string | undefined) => string} homeOf
 * @returns {Drawing}
 */
function draw(document, scene, home, nodesOf, homeOf) {
  /** @type {Map<string, Drawing>} */
  const inner = new Map();
  /** The item a node is drawn as or in, and where its top is in it. @type {Map<string, {item: string, y: number}>} */
  const itemOf = new Map();
  /** @type {Item[]} */
  const items = [];
  for (const id of nodesOf.get(home) ?? []) {
    const box = scene.nodes.box(id) ?? { w: 0, h: 0 };
    items.push({ id, w: box.w, h: box.h + STATUS });
    itemOf.set(id, { item: id, y: 0 });
  }
  for (const frame of nodesOf.keys()) {
    if (frame === "" || homeOf(document.frames.get(frame)?.frame) !== home) continue;
    const drawing = draw(document, scene, frame, nodesOf, homeOf);
    const id = `frame\0${frame}`;
    inner.set(id, drawing);
    items.push({ id, w: drawing.w + 2 * PADDING, h: drawing.h + 2 * PADDING + FRAME_HEAD });
    for (const [node, point] of drawing.nodes) itemOf.set(node, { item: id, y: point.y + PADDING + FRAME_HEAD });
  }
  items.sort((a, b) => topOf(document, a.id) - topOf(document, b.id));
  const places = layered(items, edgesOf(document, scene, itemOf), GAP);
  /** @type {Drawing} */
  const drawing = { w: 0, h: 0, nodes: new Map(), frames: new Map() };
  for (const item of items) {
    const at = /** @type {Point} */ (places.get(item.id));
    drawing.w = Math.max(drawing.w, at.x + item.w);
    drawing.h = Math.max(drawing.h, at.y + item.h);
    const within = inner.get(item.id);
    if (!within) drawing.nodes.set(item.id, at);
    else {
      const moved = (/** @type {Point} */ point) => ({ x: at.x + PADDING + point.x, y: at.y + PADDING + FRAME_HEAD + point.y });
      for (const [id, point] of within.nodes) drawing.nodes.set(id, moved(point));
      for (const [id, box] of within.frames) drawing.frames.set(id, { ...box, ...moved(box) });
      drawing.frames.set(item.id.slice(6), { ...at, w: item.w, h: item.h });
    }
  }
  return drawing;
}

/** Where an item is now. @param {Document} document @param {string} id */
const topOf = (document, id) => (id.startsWith("frame\0") ? document.frames.get(id.slice(6))?.y : document.places.get(id)?.y) ?? 0;

/** @param {Document} document @param {Scene} scene @param {ReadonlyMap<string, {item: string, y: number}>} itemOf @returns {Edge[]} */
function edgesOf(document, scene, itemOf) {
  /** @type {Edge[]} */
  const edges = [];
  for (const [id, to] of itemOf) {
    for (const [name, value] of Object.entries(document.nodes.get(id)?.inputs ?? {})) {
      for (const link of linksOf(value)) {
        const from = itemOf.get(link.node);
        if (!from || from.item === to.item) continue;
        const out = scene.layout(link.node)?.outputs.get(link.output)?.y ?? 0;
        edges.push({ from: from.item, to: to.item, fromY: from.y + out, toY: to.y + (scene.layout(id)?.inputs.get(name)?.y ?? 0) });
      }
    }
  }
  return edges;
}
