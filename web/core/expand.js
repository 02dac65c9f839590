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

/** A value as a label: names of files without their folder and ending, long texts cut. @param {unknown} value */
export const shown = (value) => {
  const text = String(value).replace(/^.*\//, "").replace(/\.(safetensors|sft|png|jpe?g|webp)$/i, "");
  return text.length > 40 ? `${text.slice(0, 38)}…` : text;
};

/**
 * The workflow that runs a sweep: what the swept inputs reach is copied for each combination ("5" -> "5@1", "5@2" ...),
 * and the pictures that each saving node would save are laid on labelled sheets, columns by the first axis, rows by the
 * second, a sheet for each value of the others.
 * @param {{nodes: Nodes, [field: string]: unknown}} workflow
 * @param {readonly Axis[]} axes
 * @param {(id: string) => NodeSpec | undefined} spec
 */
export function expanded(workflow, axes, spec) {
  const reached = reachedBy(workflow.nodes, axes.map((axis) => axis.id));
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
  for (const id of reached) addSheets(nodes, workflow.nodes, id, axes, spec(id));
  return { ...workflow, nodes, swept: workflow };
}

/**
 * Of a node that saves pictures: sheets in the place of itself, one for each combination of the axes after the second.
 * @param {Record<string, NodeData>} nodes
 * @param {Nodes} original
 * @param {string} id
 * @param {readonly Axis[]} axes
 * @param {NodeSpec | undefined} spec
 */
function addSheets(nodes, original, id, axes, spec) {
  const input = spec?.sink ? spec.inputs.find((each) => each.type === "Image") : undefined;
  const link = input && own(original[id].inputs, input.name);
  if (!input || !isLink(link)) return;
  const [x, y] = [axes[0].values.length, axes[1]?.values.length ?? 1];
  const pages = product(axes.slice(2).map((axis) => axis.values.length));
  for (const [page, picks] of pages.entries()) {
    // Combinations run through the first axis fastest, so those of a page follow each other.
    const images = Array.from({ length: x * y }, (_, i) => ({ node: `${link.node}${COPY}${page * x * y + i + 1}`, output: link.output }));
    const title = axes.slice(2).map((axis, k) => `${axis.label} ${shown(axis.values[picks[k]])}`).join(" · ");
    const lines = (/** @type {Axis | undefined} */ axis) => (axis ? axis.values.map((value) => `${axis.label} ${shown(value)}`).join("\n") : "");
    const sheet = `${id}${COPY}sheet${page + 1}`;
    nodes[sheet] = { type: "LabelledSheet", inputs: { images, columns: lines(axes[0]), rows: lines(axes[1]), title } };
    nodes[`${sheet}${COPY}saved`] = { ...original[id], sweep: undefined, inputs: { ...original[id].inputs, [input.name]: { node: sheet, output: "image" } } };
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
