/**
 * What a measuring script may drive when the page is opened with `?bench=1`: `window.__bench`. A graph comes in a form any
 * editor can be given (nodes with ports and widgets, links by slot) and is put on the table as a workflow like any other.
 */

import { Catalogue } from "./core/catalogue.js";
import { IDLE, reduce } from "./core/run.js";

/** @import {View} from "./canvas/view.js" */
/** @import {Editor} from "./core/editor.js" */
/** @import {InputSpec, NodeSpec, Place, Point, Widget} from "./core/types.js" */
/** @import {Runner} from "./runner.js" */
/**
 * @typedef {{name: string, kind?: string, type?: string, value?: unknown, min?: number, max?: number, step?: number,
 *            options?: readonly (string | number)[]}} BenchWidget
 * @typedef {string | {name: string, type?: string}} BenchPort
 * @typedef {{id: string | number, type: string, title?: string, x: number, y: number, w?: number, h?: number,
 *            inputs?: readonly BenchPort[], outputs?: readonly BenchPort[], widgets?: readonly BenchWidget[]}} BenchNode
 * @typedef {{id: string | number, from: string | number, fromSlot: number, to: string | number, toSlot: number, type?: string}} BenchLink
 * @typedef {{nodes: readonly BenchNode[], links: readonly BenchLink[]}} BenchGraph
 */

/** Kinds of widget as other editors call them. @type {Readonly<Record<string, Widget>>} */
const KINDS = {
  slider: { kind: "Slider" },
  number: { kind: "Number" },
  int: { kind: "Number" },
  float: { kind: "Number" },
  seed: { kind: "Seed" },
  toggle: { kind: "Toggle" },
  boolean: { kind: "Toggle" },
  combo: { kind: "Choice" },
  choice: { kind: "Choice" },
  select: { kind: "Choice" },
  text: { kind: "Text" },
  string: { kind: "Text" },
  textarea: { kind: "Text", multiline: true },
  multiline: { kind: "Text", multiline: true },
  prompt: { kind: "Text", multiline: true },
};
const VALUE_TYPES = /** @type {Readonly<Record<string, string>>} */ ({ Slider: "float", Number: "float", Seed: "int", Toggle: "bool" });

/** @param {Editor} editor @param {View} view @param {Runner} runner */
export const bench = (editor, view, runner) => ({
  editor,
  view,
  /** Nodes at work, with progress and previews as events bring them. @param {readonly string[]} ids @param {number} previews a second @returns {Promise<() => void>} what stops them */
  work: (ids, previews) => work(runner, ids, previews),
  /** Put a graph on the table; done when the next frame shows it. @param {BenchGraph} graph @returns {Promise<void>} */
  load(graph) {
    editor.open({ version: 1, nodes: {} });
    const types = new Map(graph.nodes.map((node) => [node.type, node]));
    editor.setCatalogue(new Catalogue(Object.fromEntries([...types].map(([type, node]) => [type, specOf(node)]))));
    editor.open(workflowOf(graph));
    return view.painted();
  },
  /** @param {import("./core/camera.js").Camera} camera  screen = world * scale + (x, y), from the view's corner */
  setView: (camera) => view.setCamera({ ...camera }),
  getView: () => ({ ...view.camera }),
  /** Where a node is in the world, a drag in progress included. @param {string | number} id @returns {Point | null} */
  nodePos: (id) => view.placeOf(String(id)),
  /** The point of the page where a drag of the node may start: its title. @param {string | number} id @returns {Point | null} */
  nodeGrab: (id) => view.grabPoint(String(id)),
  /** @param {Iterable<string | number>} ids */
  select: (ids) => editor.select([...ids].map(String)),
  /** Bytes of bitmaps that hold painted tiles, and of the view itself. */
  tiles: () => view.bitmaps(),
});

const PREVIEW = 512;
const STEPS = 400;
/** Milliseconds between two steps of a node. */
const STEP = 50;

/** @param {Runner} runner @param {readonly string[]} ids @param {number} previews */
async function work(runner, ids, previews) {
  const blobs = await Promise.all([0, 1, 2, 3].map(picture));
  const tell = (/** @type {import("./core/run.js").RunEvent[]} */ events) => {
    runner.run.value = reduce(runner.run.peek(), events).run;
  };
  runner.run.value = { ...IDLE, job: "bench", state: "running" };
  tell(ids.map((node) => ({ type: "started", node, reason: "never run" })));
  let [step, shown] = [0, 0];
  const timers = [
    setInterval(() => tell(ids.map((node) => ({ type: "progress", node, step: ++step % STEPS, total: STEPS }))), STEP),
    setInterval(() => {
      runner.preview.value = /** @type {import("./runner.js").Preview} */ ({ node: ids[shown % ids.length], blob: blobs[shown++ % blobs.length] });
    }, 1000 / previews),
  ];
  return () => {
    timers.forEach(clearInterval);
    runner.leave();
  };
}

/** A picture as a preview is one. @param {number} shade @returns {Promise<Blob>} */
function picture(shade) {
  const canvas = new OffscreenCanvas(PREVIEW, PREVIEW);
  const ctx = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  for (let y = 0; y < PREVIEW; y += 16) {
    for (let x = 0; x < PREVIEW; x += 16) {
      ctx.fillStyle = `hsl(${(x + y + 90 * shade) % 360} 60% 50%)`;
      ctx.fillRect(x, y, 16, 16);
    }
  }
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 });
}

/** @param {BenchPort} port */
const portOf = (port) => (typeof port === "string" ? { name: port, type: "Any" } : { name: port.name, type: port.type ?? "Any" });

/** @param {BenchWidget} widget @returns {Widget} */
function widgetOf({ kind, type, value, min, max, step, options }) {
  const named = KINDS[String(kind ?? type).toLowerCase()];
  const natural = typeof value === "number" ? KINDS.number : typeof value === "boolean" ? KINDS.toggle : KINDS.text;
  return { ...(named ?? natural), min, max, step, options };
}

/** @param {BenchNode} node @returns {NodeSpec} */
function specOf({ type, inputs = [], outputs = [], widgets = [] }) {
  /** @type {InputSpec[]} */
  const ports = inputs.map((input) => ({ ...portOf(input), widget: null, required: false }));
  const values = widgets.map((each) => {
    const widget = widgetOf(each);
    return { name: each.name, type: VALUE_TYPES[widget.kind] ?? "str", widget, default: each.value, required: false };
  });
  return { id: type, title: type, category: "bench", doc: "", sink: outputs.length === 0, inputs: [...ports, ...values], outputs: outputs.map(portOf) };
}

/** @param {BenchGraph} graph */
function workflowOf(graph) {
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  const nodes = Object.fromEntries(graph.nodes.map(({ id, type, title, widgets = [] }) => {
    const inputs = /** @type {Record<string, unknown>} */ (Object.fromEntries(widgets.map((widget) => [widget.name, widget.value])));
    return [String(id), { type, title, inputs }];
  }));
  for (const link of graph.links) {
    const [source, target] = [byId.get(link.from), byId.get(link.to)];
    const output = source?.outputs?.[link.fromSlot];
    const input = target?.inputs?.[link.toSlot];
    if (output && input) nodes[String(link.to)].inputs[portOf(input).name] = { node: String(link.from), output: portOf(output).name };
  }
  /** @type {Record<string, Place>} */
  const places = Object.fromEntries(graph.nodes.map(({ id, x, y, w, h }) => [String(id), { x, y, ...(w && { w }), ...(h && { h }) }]));
  return { version: 1, nodes, view: { nodes: places } };
}
