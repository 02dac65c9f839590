/**
 * Layered drawing of a directed graph (after Sugiyama, Tagawa and Toda 1981): each item in a column right of what it
 * reads; in turns from either side every column is put in the order, and at the heights, that its neighbours want; the
 * drawing with the fewest crossings is kept and its neighbours swapped where that takes more away. Links are drawn
 * straight past columns, so what is counted is what is seen. Parts that are not linked lie under each other. The same
 * input gives the same drawing.
 */

import { Crossings } from "./crossings.js";

/** @import {Point} from "./types.js" */
/** @typedef {{id: string, w: number, h: number}} Item */
/** @typedef {{from: string, to: string, fromY: number, toY: number}} Edge  y of its ends from the top of their items */
/** @typedef {{x: number, y: number}} Gap */
/**
 * @typedef {{item: Item, x: number, y: number, key: number, ins: Joint[], outs: Joint[], lines: number[]}} Vertex
 * @typedef {{at: Vertex, thereY: number, hereY: number}} Joint  another vertex, and heights there and here
 * @typedef {{a: Vertex, b: Vertex, aY: number, bY: number}} Line  from left to right
 */

const SWEEPS = 4;
/** Pairs of lines that may be looked at in search of a better drawing. */
const EFFORT = 300_000;

/**
 * @param {readonly Item[]} items  in the order they should keep where nothing else decides
 * @param {readonly Edge[]} edges
 * @param {Gap} gap
 * @returns {Map<string, Point>} top left corners, from 0, 0
 */
export function layered(items, edges, gap) {
  /** @type {Map<string, Point>} */
  const places = new Map();
  const { parts, loners } = partsOf(items, edges);
  let y = 0;
  let widest = 0;
  for (const part of parts) {
    const vertices = drawPart(part.items, part.edges, gap);
    const top = Math.min(...vertices.map((vertex) => vertex.y));
    for (const vertex of vertices) places.set(vertex.item.id, { x: vertex.x, y: Math.round(vertex.y - top) + y });
    y += Math.max(...vertices.map((vertex) => vertex.y + vertex.item.h)) - top + 2 * gap.y;
    widest = Math.max(widest, ...vertices.map((vertex) => vertex.x + vertex.item.w));
  }
  let [x, row] = [0, 0];
  for (const item of loners) {
    if (x > 0 && x + item.w > Math.max(widest, 1200)) [x, y, row] = [0, y + row + gap.y, 0];
    places.set(item.id, { x, y });
    x += item.w + gap.x;
    row = Math.max(row, item.h);
  }
  return places;
}

/** @param {readonly Item[]} items @param {readonly Edge[]} edges */
function partsOf(items, edges) {
  const leader = new Map(items.map((item) => [item.id, item.id]));
  const find = (/** @type {string} */ id) => {
    let root = id;
    while (leader.get(root) !== root) root = /** @type {string} */ (leader.get(root));
    for (let at = id; at !== root; ) {
      const next = /** @type {string} */ (leader.get(at));
      leader.set(at, root);
      at = next;
    }
    return root;
  };
  const linked = new Set();
  for (const { from, to } of edges) {
    leader.set(find(from), find(to));
    linked.add(from).add(to);
  }
  /** @type {Map<string, {items: Item[], edges: Edge[]}>} */
  const parts = new Map();
  for (const item of items) {
    if (!linked.has(item.id)) continue;
    const part = parts.get(find(item.id)) ?? { items: [], edges: [] };
    parts.set(find(item.id), part);
    part.items.push(item);
  }
  for (const edge of edges) parts.get(find(edge.from))?.edges.push(edge);
  return { parts: [...parts.values()], loners: items.filter((item) => !linked.has(item.id)) };
}

/**
 * The column of each item: one right of the rightmost it reads; then nearer to its readers where that shortens links.
 * Edges that close a circle do not count.
 * @param {readonly Item[]} items
 * @param {readonly Edge[]} edges
 * @returns {Map<string, number>}
 */
function columnsOf(items, edges) {
  const lists = () => new Map(items.map((item) => [item.id, /** @type {string[]} */ ([])]));
  const [sources, readers] = [lists(), lists()];
  for (const { from, to } of edges) {
    if (from === to) continue;
    sources.get(to)?.push(from);
    readers.get(from)?.push(to);
  }
  /** @type {Map<string, number>} */
  const column = new Map();
  const waiting = new Map(items.map((item) => [item.id, sources.get(item.id)?.length ?? 0]));
  const order = items.filter((item) => waiting.get(item.id) === 0).map((item) => item.id);
  const placed = new Set(order);
  for (let at = 0; placed.size < items.length || at < order.length; at++) {
    if (at === order.length) {
      const stuck = /** @type {Item} */ (items.find((item) => !placed.has(item.id)));
      order.push(stuck.id);
      placed.add(stuck.id);
    }
    const id = order[at];
    column.set(id, Math.max(0, .../** @type {string[]} */ (sources.get(id)).map((source) => (column.get(source) ?? -1) + 1)));
    for (const reader of /** @type {string[]} */ (readers.get(id))) {
      const left = /** @type {number} */ (waiting.get(reader)) - 1;
      waiting.set(reader, left);
      if (left > 0 || placed.has(reader)) continue;
      placed.add(reader);
      order.push(reader);
    }
  }
  for (const id of order.reverse()) {
    const [ins, outs] = [/** @type {string[]} */ (sources.get(id)), /** @type {string[]} */ (readers.get(id))];
    const nearest = Math.min(...outs.map((reader) => /** @type {number} */ (column.get(reader)))) - 1;
    if (outs.length > ins.length && nearest > /** @type {number} */ (column.get(id)) && nearest < Infinity) column.set(id, nearest);
  }
  const first = Math.min(...column.values());
  for (const [id, at] of column) column.set(id, at - first);
  return column;
}

/** @param {readonly Item[]} items @param {readonly Edge[]} edges @param {Gap} gap @returns {Vertex[]} */
function drawPart(items, edges, gap) {
  const column = columnsOf(items, edges);
  /** @type {Vertex[][]} */
  const columns = Array.from({ length: Math.max(...column.values()) + 1 }, () => []);
  const vertexOf = new Map(items.map((item) => {
    /** @type {Vertex} */
    const vertex = { item, x: 0, y: 0, key: 0, ins: [], outs: [], lines: [] };
    columns[/** @type {number} */ (column.get(item.id))].push(vertex);
    return [item.id, vertex];
  }));
  let x = 0;
  for (const vertices of columns) {
    for (const vertex of vertices) vertex.x = x;
    x += Math.max(...vertices.map((vertex) => vertex.item.w)) + gap.x;
  }
  const lines = linesOf(edges, vertexOf);
  const crossings = new Crossings(lines, EFFORT / 2);
  walkOrder(columns, gap.y);
  settle(columns, crossings, gap.y);
  improve(columns, crossings, gap.y);
  return columns.flat();
}

/** @param {readonly Edge[]} edges @param {ReadonlyMap<string, Vertex>} vertexOf @returns {Line[]} from left to right */
function linesOf(edges, vertexOf) {
  /** @type {Line[]} */
  const lines = [];
  for (const edge of edges) {
    let [a, b] = [/** @type {Vertex} */ (vertexOf.get(edge.from)), /** @type {Vertex} */ (vertexOf.get(edge.to))];
    let [aY, bY] = [edge.fromY, edge.toY];
    if (a.x === b.x) continue;
    if (a.x > b.x) [a, b, aY, bY] = [b, a, bY, aY];
    lines.push({ a, b, aY, bY });
    a.outs.push({ at: b, thereY: bY, hereY: aY });
    b.ins.push({ at: a, thereY: aY, hereY: bY });
  }
  lines.sort((p, q) => p.a.x - q.a.x || p.b.x - q.b.x);
  for (const [index, line] of lines.entries()) {
    line.a.lines.push(index);
    line.b.lines.push(index);
  }
  return lines;
}

/** First order: as a walk along the links, from the first item, comes by. @param {Vertex[][]} columns @param {number} gap */
function walkOrder(columns, gap) {
  const met = new Map(columns.map((vertices) => [vertices[0].x, /** @type {Vertex[]} */ ([])]));
  const seen = new Set();
  for (const start of columns.flat()) {
    const open = [start];
    for (let vertex = open.pop(); vertex; vertex = open.pop()) {
      if (seen.has(vertex)) continue;
      seen.add(vertex);
      met.get(vertex.x)?.push(vertex);
      const near = [...vertex.ins, ...vertex.outs].sort((p, q) => p.hereY - q.hereY);
      for (const joint of near.reverse()) if (!seen.has(joint.at)) open.push(joint.at);
    }
  }
  for (const [at, vertices] of columns.entries()) {
    columns[at] = met.get(vertices[0].x) ?? [];
    let y = 0;
    for (const vertex of columns[at]) {
      vertex.y = y;
      y += vertex.item.h + gap;
    }
  }
}

/** Sweep over the columns, and keep the drawing with the fewest crossings. @param {Vertex[][]} columns @param {Crossings} crossings @param {number} gap */
function settle(columns, crossings, gap) {
  const vertices = columns.flat();
  let [fewest, best] = [Infinity, /** @type {number[]} */ ([])];
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    for (let step = 0; step < columns.length; step++) {
      const column = columns[down ? step : columns.length - 1 - step];
      pull(column, down ? "ins" : "outs", gap, sweep < SWEEPS - 2);
    }
    crossings.refresh();
    const count = crossings.count();
    if (count < fewest) [fewest, best] = [count, vertices.map((vertex) => vertex.y)];
  }
  for (const [index, vertex] of vertices.entries()) vertex.y = best[index];
  crossings.refresh();
  for (const column of columns) column.sort((p, q) => p.y - q.y);
}

/**
 * Bring a column to where its neighbours want it: sorted by that, then as near to it as vertices that must not overlap
 * can be, in blocks that lie where their members want on average.
 * @param {Vertex[]} vertices
 * @param {"ins" | "outs"} side
 * @param {number} gap
 * @param {boolean} sort
 */
function pull(vertices, side, gap, sort) {
  for (const vertex of vertices) {
    const joints = vertex[side];
    let sum = 0;
    for (const joint of joints) sum += joint.at.y + joint.thereY - joint.hereY;
    vertex.key = joints.length > 0 ? sum / joints.length : vertex.y;
  }
  if (sort) vertices.sort((p, q) => p.key - q.key || p.y - q.y);
  /** @type {{first: number, sum: number, weight: number, h: number}[]} */
  const blocks = [];
  for (let index = 0; index < vertices.length; index++) {
    const vertex = vertices[index];
    const weight = vertex[side].length > 0 ? 1 : 0.05;
    let block = { first: index, sum: vertex.key * weight, weight, h: vertex.item.h + gap };
    for (let above = blocks.at(-1); above && above.sum / above.weight + above.h > block.sum / block.weight; above = blocks.at(-1)) {
      blocks.pop();
      block = { first: above.first, sum: above.sum + block.sum - above.h * block.weight, weight: above.weight + block.weight, h: above.h + block.h };
    }
    blocks.push(block);
  }
  for (let at = 0; at < blocks.length; at++) {
    let y = blocks[at].sum / blocks[at].weight;
    for (let index = blocks[at].first; index < (blocks[at + 1]?.first ?? vertices.length); index++) {
      vertices[index].y = y;
      y += vertices[index].item.h + gap;
    }
  }
}

/**
 * Swap neighbours in a column where that takes crossings away, and straighten a link of a vertex where that brings no more of them and shortens its links.
 * @param {Vertex[][]} columns
 * @param {Crossings} crossings
 * @param {number} gap
 */
function improve(columns, crossings, gap) {
  const crossed = (/** @type {Vertex} */ vertex, /** @type {number} */ most) => crossings.at(vertex, most);
  for (let round = 0, better = true; better && round < 4 && crossings.looks < EFFORT; round++) {
    better = false;
    for (const vertices of columns) {
      for (let index = 0; index < vertices.length; index++) {
        if (index + 1 < vertices.length && swap(vertices, index, gap, crossings)) better = true;
        if (straighten(vertices, index, gap, [], crossings, crossed)) better = true;
      }
    }
  }
  const enough = Math.min(EFFORT, crossings.looks + EFFORT / 12);
  for (const vertices of [...columns.toReversed(), ...columns]) {
    if (crossings.looks >= enough) break;
    const passing = crossings.passing(vertices[0].x);
    const seen = (/** @type {Vertex} */ vertex, /** @type {number} */ most) => {
      crossings.looks += passing.length;
      return crossings.at(vertex, most) + countBehind(vertex, passing, crossings);
    };
    for (let index = 0; index < vertices.length; index++) straighten(vertices, index, gap, passing, crossings, seen);
  }
}

/** How many of the lines that pass a vertex pass behind it. @param {Vertex} vertex @param {readonly number[]} passing @param {Crossings} crossings */
function countBehind(vertex, passing, crossings) {
  let count = 0;
  for (const line of passing) {
    const into = crossings.heightAt(line, vertex) - vertex.y;
    if (into > 0 && into < vertex.item.h) count += 1;
  }
  return count;
}

/** @param {Vertex[]} vertices @param {number} index @param {number} gap @param {Crossings} crossings */
function swap(vertices, index, gap, crossings) {
  const [upper, lower] = [vertices[index], vertices[index + 1]];
  const before = crossings.at(upper) + crossings.at(lower);
  if (before === 0) return false;
  const [y1, y2] = [upper.y, lower.y];
  crossings.place(lower, y1);
  crossings.place(upper, Math.max(y1 + lower.item.h + gap, y2 + lower.item.h - upper.item.h));
  const after = crossings.at(upper, before);
  if (after >= before || after + crossings.at(lower, before - after) >= before) {
    crossings.place(upper, y1);
    crossings.place(lower, y2);
    return false;
  }
  [vertices[index], vertices[index + 1]] = [lower, upper];
  return true;
}

/**
 * Move a vertex between its neighbours to where a link of it is straight, or a line that passes is just clear of it.
 * @param {Vertex[]} vertices @param {number} index @param {number} gap @param {readonly number[]} passing @param {Crossings} crossings
 * @param {(vertex: Vertex, most: number) => number} seen  crossings, and lines behind it, not counted on where they are more
 */
function straighten(vertices, index, gap, passing, crossings, seen) {
  const vertex = vertices[index];
  const start = vertex.y;
  let [fewest, shortest, best] = [seen(vertex, Infinity), stretch(vertex), start];
  if (fewest === 0 && shortest < gap) return false;
  const before = fewest;
  const [above, under] = [vertices[index - 1], vertices[index + 1]];
  const [least, most] = [above ? above.y + above.item.h + gap : -Infinity, under ? under.y - vertex.item.h - gap : Infinity];
  const clear = fewest === 0 ? [] : passing.map((line) => crossings.heightAt(line, vertex)).flatMap((y) => [y - vertex.item.h - 4, y + 4]);
  const wanted = [...vertex.ins, ...vertex.outs].map((joint) => joint.at.y + joint.thereY - joint.hereY);
  for (const y of new Set([...wanted, ...clear].map((each) => Math.max(least, Math.min(most, each))))) {
    if (y === start) continue;
    crossings.place(vertex, y);
    const [count, length] = [seen(vertex, fewest), stretch(vertex)];
    if (count < fewest || (count === fewest && length < shortest - 1)) [fewest, shortest, best] = [count, length, y];
  }
  crossings.place(vertex, best);
  return fewest < before;
}

/** How far the lines of a vertex go up and down. @param {Vertex} vertex */
function stretch({ y, ins, outs }) {
  let sum = 0;
  for (const joint of ins) sum += Math.abs(joint.at.y + joint.thereY - joint.hereY - y);
  for (const joint of outs) sum += Math.abs(joint.at.y + joint.thereY - joint.hereY - y);
  return sum;
}
