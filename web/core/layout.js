/** Automatic arrangement: columns by distance from the sources, rows by where the neighbours are. Linear but for sorting. */

import { STATUS } from "./geometry.js";
import { linksOf } from "./level.js";

/** @import {Change, Document} from "./document.js" */
/** @import {Scene} from "./scene.js" */
/** @import {Point} from "./types.js" */

const GAP_X = 56;
const GAP_Y = STATUS + 16;

/**
 * Places for the given nodes, right and below a corner.
 * @param {Document} document
 * @param {Scene} scene
 * @param {readonly string[]} ids
 * @param {Point} corner
 * @returns {Change[]}
 */
export function arrange(document, scene, ids, corner) {
  const columns = columnsOf(document, ids);
  /** @type {Map<string, number>} */
  const middle = new Map();
  /** @type {Change[]} */
  const changes = [];
  let x = corner.x;
  for (const column of columns) {
    const wanted = new Map(column.map((id) => [id, meanOf(sources(document, id).flatMap((source) => middle.get(source) ?? []))]));
    column.sort((a, b) => /** @type {number} */ (wanted.get(a)) - /** @type {number} */ (wanted.get(b)));
    let [y, width] = [corner.y, 0];
    for (const id of column) {
      const box = scene.nodes.box(id) ?? { w: 0, h: 0 };
      changes.push({ kind: "place", id, place: { ...document.places.get(id), x, y } });
      middle.set(id, y + box.h / 2);
      y += box.h + GAP_Y;
      width = Math.max(width, box.w);
    }
    x += width + GAP_X;
  }
  return changes;
}

/** @param {Document} document @param {string} id */
const sources = (document, id) => Object.values(document.nodes.get(id)?.inputs ?? {}).flatMap((value) => linksOf(value).map((link) => link.node));

/** @param {readonly number[]} values */
const meanOf = (values) => (values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length);

/**
 * Each node one column right of its rightmost source. Nodes on a cycle come last.
 * @param {Document} document
 * @param {readonly string[]} ids
 * @returns {string[][]}
 */
function columnsOf(document, ids) {
  const inside = new Set(ids);
  /** @type {Map<string, number>} */
  const waiting = new Map(ids.map((id) => [id, sources(document, id).filter((source) => inside.has(source)).length]));
  /** @type {Map<string, number>} */
  const depth = new Map();
  const ready = ids.filter((id) => waiting.get(id) === 0);
  for (const id of ready) {
    depth.set(id, Math.max(0, ...sources(document, id).map((source) => (depth.get(source) ?? -1) + 1)));
    for (const reader of document.readers(id)) {
      if (!waiting.has(reader.id)) continue;
      const left = /** @type {number} */ (waiting.get(reader.id)) - 1;
      waiting.set(reader.id, left);
      if (left === 0) ready.push(reader.id);
    }
  }
  /** @type {string[][]} */
  const columns = [];
  for (const id of ids) (columns[depth.get(id) ?? 0] ??= []).push(id);
  const stranded = ids.filter((id) => !depth.has(id));
  if (stranded.length > 0 && stranded.length < ids.length) {
    columns[0] = (columns[0] ?? []).filter((id) => depth.has(id));
    columns.push(stranded);
  }
  return columns.filter((column) => column.length > 0);
}
