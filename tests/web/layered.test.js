import assert from "node:assert/strict";
import { test } from "node:test";

import { Crossings } from "../../web/core/crossings.js";
import { layered } from "../../web/core/layered.js";
import { random } from "./specs.js";

const GAP = { x: 60, y: 20 };

/** Items that read one or two of those before them. @param {number} seed @param {number} count */
function drawnByLot(seed, count) {
  const next = random(seed);
  const items = Array.from({ length: count }, (_, id) => ({ id: String(id), w: 100 + Math.floor(next() * 80), h: 60 + Math.floor(next() * 120) }));
  const edges = items.slice(1).flatMap((item, index) => Array.from({ length: 1 + Math.floor(next() * 2) }, (_, turn) => {
    const from = String(Math.max(0, index - Math.floor(next() * 7)));
    return { from, to: item.id, fromY: 20 + 20 * turn, toY: 20 + 20 * turn };
  }));
  return { items, edges };
}

/** @param {ReturnType<typeof drawnByLot>} graph @param {Map<string, {x: number, y: number}>} places */
function measured({ items, edges }, places) {
  const size = new Map(items.map((item) => [item.id, item]));
  const at = (/** @type {string} */ id) => /** @type {{x: number, y: number}} */ (places.get(id));
  const lines = edges.map(({ from, to, fromY, toY }) => ({ from: at(from), to: at(to), x1: at(from).x + (size.get(from)?.w ?? 0), y1: at(from).y + fromY, x2: at(to).x, y2: at(to).y + toY }));
  const height = (/** @type {(typeof lines)[number]} */ line, /** @type {number} */ x) => line.y1 + ((x - line.x1) * (line.y2 - line.y1)) / (line.x2 - line.x1);
  let [crossings, behind] = [0, 0];
  for (const [index, p] of lines.entries()) {
    for (const q of lines.slice(index + 1)) {
      const [left, right] = [Math.max(p.x1, q.x1), Math.min(p.x2, q.x2)];
      if (left < right && !(p.from === q.from && p.y1 === q.y1)) crossings += Number((height(p, left) - height(q, left)) * (height(p, right) - height(q, right)) < -1e-6);
    }
    for (const { id, w, h } of items) {
      const { x, y } = at(id);
      if (p.x1 < x && p.x2 > x + w) behind += Number(height(p, x + w / 2) > y && height(p, x + w / 2) < y + h);
    }
  }
  return { crossings, behind };
}

test("columns go from left to right, without overlap; a ladder is drawn without crossings", () => {
  const rungs = 40;
  const items = Array.from({ length: 2 * rungs }, (_, index) => ({ id: String(index), w: 100, h: 50 + (index % 3) * 40 }));
  const edges = Array.from({ length: rungs - 1 }, (_, index) => [2 * index, 2 * index + 1].map((from) => ({ from: String(from), to: String(from + 2), fromY: 20, toY: 20 }))).flat();
  edges.push(...Array.from({ length: rungs - 1 }, (_, index) => ({ from: String(2 * index), to: String(2 * index + 3), fromY: 40, toY: 10 })));
  const shuffled = [...items].sort((a, b) => random(Number(a.id))() - random(Number(b.id))());
  const places = layered(shuffled, edges, { x: 60, y: 20 });
  const at = (/** @type {string} */ id) => /** @type {{x: number, y: number}} */ (places.get(id));
  for (const { from, to } of edges) assert.ok(at(to).x >= at(from).x + 160);
  for (const a of items) {
    for (const b of items) if (a !== b && at(a.id).x === at(b.id).x) assert.ok(at(a.id).y + a.h <= at(b.id).y || at(b.id).y + b.h <= at(a.id).y, `${a.id} and ${b.id}`);
  }
  const lines = edges.map(({ from, to, fromY, toY }) => ({ x1: at(from).x + 100, y1: at(from).y + fromY, x2: at(to).x, y2: at(to).y + toY, from, to }));
  let crossings = 0;
  for (const p of lines) for (const q of lines) if (p.from < q.from && p.x1 === q.x1 && p.x2 === q.x2 && (p.y1 - q.y1) * (p.y2 - q.y2) < 0) crossings += 1;
  assert.equal(crossings, 0);
  assert.deepEqual([...layered(shuffled, edges, { x: 60, y: 20 })], [...places], "always the same drawing");
});


test("what reads lies right of what it reads, and nothing on anything else, whatever the graph", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { items, edges } = drawnByLot(seed, 4 + seed);
    const places = layered(items, edges, GAP);
    const at = (/** @type {string} */ id) => /** @type {{x: number, y: number}} */ (places.get(id));
    for (const { from, to } of edges) assert.ok(at(to).x >= at(from).x + /** @type {any} */ (items.find(({ id }) => id === from)).w + GAP.x, `${seed}: ${from} to ${to}`);
    for (const a of items) {
      for (const b of items) if (a !== b && at(a.id).x === at(b.id).x) assert.ok(at(a.id).y + a.h <= at(b.id).y || at(b.id).y + b.h <= at(a.id).y, `${seed}: ${a.id} on ${b.id}`);
    }
  }
});

test("links cross less, and lie behind fewer nodes, than where nodes stand in the order they are read", () => {
  const sum = { crossings: 0, behind: 0 };
  const inOrder = { ...sum };
  for (let seed = 1; seed <= 20; seed++) {
    const graph = drawnByLot(seed, 30);
    const places = layered(graph.items, graph.edges, GAP);
    /** @type {Map<number, number>} */
    const down = new Map();
    const stacked = new Map(graph.items.map(({ id, h }) => {
      const x = places.get(id)?.x ?? 0;
      const y = down.get(x) ?? 0;
      down.set(x, y + h + GAP.y);
      return [id, { x, y }];
    }));
    for (const [total, drawing] of /** @type {const} */ ([[sum, places], [inOrder, stacked]])) {
      const { crossings, behind } = measured(graph, drawing);
      total.crossings += crossings;
      total.behind += behind;
    }
  }
  assert.ok(sum.crossings < inOrder.crossings / 2, `${sum.crossings} crossings, ${inOrder.crossings} in order`);
  assert.ok(sum.behind < 0.7 * inOrder.behind, `${sum.behind} behind nodes, ${inOrder.behind} in order`);
});

test("crossings are counted as by hand, after a vertex was moved too", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const next = random(seed);
    const vertices = Array.from({ length: 16 }, (_, index) => ({
      item: { id: String(index), w: 100, h: 50 }, x: 160 * Math.floor(index / 4), y: Math.floor(next() * 400), key: 0, ins: [], outs: [], lines: /** @type {number[]} */ ([]),
    }));
    const lines = Array.from({ length: 24 }, () => {
      const a = vertices[Math.floor(next() * 12)];
      const right = vertices.filter((vertex) => vertex.x > a.x);
      return { a, b: right[Math.floor(next() * right.length)], aY: 10 + Math.floor(next() * 3) * 10, bY: 10 + Math.floor(next() * 30) };
    }).sort((p, q) => p.a.x - q.a.x || p.b.x - q.b.x);
    for (const [index, { a, b }] of lines.entries()) [a, b].forEach((vertex) => vertex.lines.push(index));
    const graph = { items: vertices.map(({ item }) => item), edges: lines.map(({ a, b, aY, bY }) => ({ from: a.item.id, to: b.item.id, fromY: aY, toY: bY })) };
    const byHand = () => measured(graph, new Map(vertices.map((vertex) => [vertex.item.id, vertex]))).crossings;
    const crossings = new Crossings(lines, 1000);
    crossings.refresh();
    assert.equal(crossings.count(), byHand(), `seed ${seed}`);
    crossings.place(vertices[5], 999);
    assert.equal(crossings.count(), byHand(), `seed ${seed}, one moved`);
    assert.equal(vertices.reduce((sum, vertex) => sum + crossings.at(vertex), 0), 4 * byHand(), `seed ${seed}, by vertices`);
  }
});
