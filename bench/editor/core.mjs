/** Search and tidy without a page: milliseconds a key over 2,000 definitions; milliseconds and crossings beside elkjs. */

import { existsSync } from "node:fs";
import { performance } from "node:perf_hooks";

import { layered } from "../../web/core/layered.js";
import { NodeIndex } from "../../web/core/search.js";
import { WORDS as SAME } from "../../web/core/words.js";

const DEFINITIONS = 2000;
const GAP = { x: 56, y: 40 };
const WORDS = ["load", "image", "latent", "sample", "merge", "model", "mask", "decode", "encode", "scale", "blur", "noise"];

/** @param {() => unknown} act @param {number} rounds */
function best(act, rounds = 7) {
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    act();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

function search() {
  const specs = Array.from({ length: DEFINITIONS }, (_, index) => {
    const title = [WORDS[index % 12], WORDS[(index * 7 + 3) % 12], index].join(" ");
    return { id: `pack.${title.replaceAll(" ", "")}`, title, category: `pack/${WORDS[index % 5]}`, doc: "", sink: false, inputs: [], outputs: [] };
  });
  const index = new NodeIndex(specs, SAME);
  const typed = "sample image";
  const keys = Array.from(typed, (_, end) => best(() => index.find(typed.slice(0, end + 1))));
  console.log(`search, ms a key over ${DEFINITIONS}: ${Math.max(...keys).toFixed(1)} at most`);
}

/** Layers of a pipeline with links to the layer before, now and then further back. @param {number} count */
function pipeline(count) {
  let state = 7;
  const next = (/** @type {number} */ limit) => (state = (state * 48271) % 2147483647) % limit;
  const items = Array.from({ length: count }, (_, id) => ({ id: String(id), w: 248, h: 200 + next(3) * 80 }));
  const edges = [];
  for (let id = 1; id < count; id++) {
    edges.push({ from: String(Math.max(0, id - 1 - next(8))), to: String(id), fromY: 56, toY: 56 });
    if (id % 2) edges.push({ from: String(Math.max(0, id - 1 - next(20))), to: String(id), fromY: 56, toY: 80 });
  }
  return { items, edges };
}

/** Links drawn straight from right edge to left edge that cross. @param {ReturnType<typeof pipeline>} graph @param {Map<string, {x: number, y: number}>} places */
function crossings({ items, edges }, places) {
  const size = new Map(items.map((item) => [item.id, item]));
  const lines = edges.map(({ from, to, fromY, toY }) => {
    const [a, b] = [places.get(from), places.get(to)];
    return [a.x + size.get(from).w, a.y + fromY, b.x, b.y + toY];
  });
  const side = ([ax, ay, bx, by], x, y) => Math.sign((bx - ax) * (y - ay) - (by - ay) * (x - ax));
  let count = 0;
  for (let i = 0; i < lines.length; i++) {
    for (let j = i + 1; j < lines.length; j++) {
      const [a, b] = [lines[i], lines[j]];
      if (side(a, b[0], b[1]) * side(a, b[2], b[3]) < 0 && side(b, a[0], a[1]) * side(b, a[2], a[3]) < 0) count += 1;
    }
  }
  return count;
}

/** @param {ReturnType<typeof pipeline>} graph */
async function elk({ items, edges }) {
  const { default: Elk } = await import("elkjs/lib/elk.bundled.js");
  const port = (id, side, y, width) => ({ id, width: 1, height: 1, x: side === "WEST" ? 0 : width, y, layoutOptions: { "elk.port.side": side } });
  const children = items.map(({ id, w, h }) => ({ id, width: w, height: h, layoutOptions: { "elk.portConstraints": "FIXED_POS" }, ports: [port(`${id}.o`, "EAST", 56, w), port(`${id}.56`, "WEST", 56, w), port(`${id}.80`, "WEST", 80, w)] }));
  const links = edges.map(({ from, to, toY }, index) => ({ id: `e${index}`, sources: [`${from}.o`], targets: [`${to}.${toY}`] }));
  const start = performance.now();
  const drawn = await new Elk().layout({ id: "root", layoutOptions: { "elk.algorithm": "layered", "elk.direction": "RIGHT", "elk.spacing.nodeNode": "40", "elk.layered.spacing.nodeNodeBetweenLayers": "56" }, children, edges: links });
  return { ms: performance.now() - start, places: new Map(drawn.children.map(({ id, x, y }) => [id, { x, y }])) };
}

search();
for (const count of [300, 1000]) {
  const graph = pipeline(count);
  const places = layered(graph.items, graph.edges, GAP);
  console.log(`tidy of ${count}: ${best(() => layered(graph.items, graph.edges, GAP), 5).toFixed(0)} ms, ${crossings(graph, places)} crossings`);
  if (!existsSync(new URL("node_modules/elkjs", import.meta.url))) continue;
  const theirs = await elk(graph);
  console.log(`elkjs of ${count}: ${theirs.ms.toFixed(0)} ms, ${crossings(graph, theirs.places)} crossings`);
}
