/**
 * The workflow that runs a sweep: the nodes it reaches are copied, once for each combination, into one workflow whose
 * pictures meet in labelled sheets; the engine computes what copies have in common once.
 */

import { isLink, own } from "./level.js";
import { COPY, rootOf } from "./run.js";

/** @import {Axis} from "./sweep.js" */
/** @import {NodeData, NodeSpec} from "./types.js" */
/** @typedef {Readonly<Record<string, NodeData>>} Nodes */

export const MOST_COMBINATIONS = 1000;
/** Between the values of one picture. */
const BETWEEN = " · ";

const FILE = /^(?:.*\/)?([^/]+)\.(?:safetensors|sft|png|jpe?g|webp)$/i;

/** @param {string} text */
const cut = (text) => (text.length > 40 ? `${text.slice(0, 38)}…` : text);

/**
 * Values as labels: names of files without their folder and ending, long texts cut. Those that could not be told apart so
 * are cut at the front, where they begin alike.
 * @param {readonly unknown[]} values
 */
export function shown(values) {
  const texts = values.map(String);
  const short = texts.map((text) => cut(text.replace(FILE, "$1")));
  if (new Set(short).size === new Set(texts).size) return short;
  let alike = 0;
  while (alike < texts[0].length && texts.every((text) => text[alike] === texts[0][alike])) alike += 1;
  const word = alike - (/[^\s,，、。]{0,20}$/.exec(texts[0].slice(0, alike))?.[0].length ?? 0);
  return texts.map((text) => cut(word > 0 ? `…${text.slice(word)}` : text));
}

/**
 * The workflow that runs a sweep: what the swept inputs reach is copied for each combination ("5" -> "5@1", "5@2" ...),
 * and the pictures that each saving node would save are laid on labelled sheets, columns by the first axis, rows by the
 * second, a sheet for each value of the others. `cells` has the values of each combination in words.
 * @param {{nodes: Nodes, [field: string]: unknown}} workflow
 * @param {readonly Axis[]} axes
 * @param {(id: string) => NodeSpec | undefined} spec
 */
export function expanded(workflow, axes, spec) {
  const reached = reachedBy(workflow.nodes, axes.map((axis) => axis.id));
  const labels = axes.map(({ label, values }) => shown(values).map((value) => `${label} ${value}`));
  const combinations = product(axes.map((axis) => axis.values.length));
  if (combinations.length > MOST_COMBINATIONS) throw new RangeError(String(combinations.length));
  /** @type {Record<string, NodeData>} */
  const nodes = Object.fromEntries(Object.entries(workflow.nodes).filter(([id]) => !reached.has(id)));
  for (const [number, picks] of combinations.entries()) {
    for (const id of reached) {
      const node = workflow.nodes[id];
      const inputs = Object.entries(node.inputs).map(([name, value]) => [name, relinked(value, reached, number + 1)]);
      const swept = axes.flatMap((axis, k) => (axis.id === id ? [[axis.name, axis.values[picks[k]]]] : []));
      const { sweep: _, ...rest } = node;
      nodes[`${id}${COPY}${number + 1}`] = { ...rest, type: node.type, inputs: Object.fromEntries([...inputs, ...swept]) };
    }
  }
  for (const id of reached) addSheets(nodes, workflow.nodes, id, labels, reached, spec(id));
  const cells = combinations.map((picks) => labels.map((axis, k) => axis[picks[k]]).join(BETWEEN));
  return { ...workflow, nodes, swept: workflow, cells };
}

/**
 * Of a node that saves pictures: sheets in the place of itself, one for each combination of the axes after the second.
 * @param {Record<string, NodeData>} nodes
 * @param {Nodes} original
 * @param {string} id
 * @param {readonly (readonly string[])[]} labels  of the values of each axis
 * @param {ReadonlySet<string>} reached
 * @param {NodeSpec | undefined} spec
 */
function addSheets(nodes, original, id, labels, reached, spec) {
  const input = spec?.sink ? spec.inputs.find((each) => each.type === "Image") : undefined;
  const link = input && own(original[id].inputs, input.name);
  if (!input || !isLink(link)) return;
  const [columns, rows = [], ...others] = labels;
  const size = columns.length * Math.max(1, rows.length);
  for (const [page, picks] of product(others.map((axis) => axis.length)).entries()) {
    // Combinations run through the first axis fastest, so those of a page follow each other.
    const images = Array.from({ length: size }, (_, i) => ({ node: `${link.node}${COPY}${page * size + i + 1}`, output: link.output }));
    const title = others.map((axis, k) => axis[picks[k]]).join(BETWEEN);
    const sheet = `${id}${COPY}sheet${page + 1}`;
    nodes[sheet] = { type: "LabelledSheet", inputs: { images, columns: columns.join("\n"), rows: rows.join("\n"), title } };
    const inputs = Object.entries(original[id].inputs).map(([name, value]) => [name, relinked(value, reached, page * size + 1)]);
    nodes[`${sheet}${COPY}saved`] = { ...original[id], sweep: undefined, inputs: { ...Object.fromEntries(inputs), [input.name]: { node: sheet, output: "image" } } };
  }
}

/** @param {unknown} value @param {ReadonlySet<string>} reached @param {number} number @returns {unknown} */
function relinked(value, reached, number) {
  if (Array.isArray(value)) return value.map((each) => relinked(each, reached, number));
  return isLink(value) && reached.has(value.node) ? { node: `${value.node}${COPY}${number}`, output: value.output } : value;
}

/** Nodes, and all that read them, directly or not. @param {Nodes} nodes @param {readonly string[]} from */
function reachedBy(nodes, from) {
  /** @type {Map<string, string[]>} */
  const readers = new Map();
  for (const [id, node] of Object.entries(nodes)) {
    for (const value of Object.values(node.inputs).flat()) if (isLink(value)) readers.set(value.node, [...(readers.get(value.node) ?? []), id]);
  }
  const reached = new Set(from);
  for (const id of reached) for (const reader of readers.get(id) ?? []) reached.add(reader);
  return reached;
}

/** All ways to pick one of each, the first running fastest. @param {readonly number[]} sizes @returns {number[][]} */
function product(sizes) {
  return sizes.reduceRight((rest, size) => rest.flatMap((picks) => Array.from({ length: size }, (_, i) => [i, ...picks])), /** @type {number[][]} */ ([[]]));
}

/** Ids that a run of a sweep is wanted for: of the copies and sheets in place of the nodes asked for. @param {Nodes} nodes @param {readonly string[]} targets */
export const targetsIn = (nodes, targets) => Object.keys(nodes).filter((id) => targets.includes(rootOf(id)) && !id.includes(`${COPY}sheet`));
