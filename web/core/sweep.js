/**
 * Sweeps: inputs that take several values, one after the other. A node keeps them beside its inputs as
 * `sweep: {input: "4, 7, 10"}`, which the engine ignores. To run them the nodes they reach are copied, once for each
 * combination, into one workflow whose pictures meet in labelled sheets; the engine computes what copies have in common once.
 */

import { evaluate } from "./expression.js";
import { isLink, own } from "./level.js";
import { COPY, rootOf } from "./run.js";

/** @import {InputSpec, NodeData, NodeSpec} from "./types.js" */
/** @typedef {{id: string, name: string, values: readonly unknown[], label: string}} Axis */
/** @typedef {Readonly<Record<string, NodeData>>} Nodes */

const MOST_VALUES = 200;
export const MOST_COMBINATIONS = 1000;
const RANGE = /^(.+?)\s*(?:\.\.|…)\s*(.+?)(?:\s*(?:step|\/|:)\s*(.+))?$/i;
const COUNTED = /^random\s*[x×*]?\s*(\d+)$/i;

/**
 * The values a person means by `1..5`, `1..9 step 2`, `4, 7, 10`, `euler, heun`, `random 4` (seeds), lines of a prompt.
 * Throws RangeError with what was meant to be there.
 * @param {string} text
 * @param {InputSpec} input
 * @param {readonly (string | number)[]} options
 * @param {() => number} draw
 * @returns {unknown[]}
 */
export function sweepValues(text, input, options, draw) {
  const separator = input.widget?.kind === "Text" ? /\n|\s*\|\s*/ : /[,;，；、\n]/;
  const pieces = text.split(separator).map((piece) => piece.trim()).filter(Boolean);
  const values = pieces.flatMap((piece) => {
    const counted = input.widget?.kind === "Seed" ? COUNTED.exec(piece) : null;
    if (counted) return Array.from({ length: Math.min(MOST_VALUES, Number(counted[1])) }, draw);
    return isNumber(input) ? numbers(piece, input.type === "int") : [single(piece, input, options)];
  });
  if (values.length === 0 || values.length > MOST_VALUES) throw new RangeError(text);
  return values;
}

/** @param {InputSpec} input */
const isNumber = (input) => input.type === "int" || input.type === "float";

/** @param {string} piece @param {boolean} whole @returns {number[]} */
function numbers(piece, whole) {
  const range = RANGE.exec(piece);
  const [from, to] = range ? [evaluate(range[1]), evaluate(range[2])] : [evaluate(piece), null];
  const step = range?.[3] === undefined ? 1 : evaluate(range[3]);
  if (from === null || (range && (to === null || step === null || step <= 0))) throw new RangeError(piece);
  if (!range || to === null || step === null) return [whole ? Math.round(from) : from];
  const count = Math.floor(Math.abs(to - from) / step + 1e-9) + 1;
  if (count > MOST_VALUES) throw new RangeError(piece);
  const sign = to < from ? -1 : 1;
  return Array.from({ length: count }, (_, i) => Number((from + sign * i * step).toPrecision(12))).map((value) => (whole ? Math.round(value) : value));
}

/** @param {string} piece @param {InputSpec} input @param {readonly (string | number)[]} options @returns {unknown} */
function single(piece, input, options) {
  if (input.type === "bool") {
    if (/^(yes|true|on|是|开)$/i.test(piece)) return true;
    if (/^(no|false|off|否|关)$/i.test(piece)) return false;
    throw new RangeError(piece);
  }
  if (options.length === 0) return piece;
  const lower = piece.toLowerCase();
  const found = options.find((each) => String(each).toLowerCase() === lower) ?? options.find((each) => String(each).toLowerCase().startsWith(lower));
  if (found === undefined) throw new RangeError(piece);
  return found;
}

/** The texts of a node's sweeps, by input. @param {NodeData | undefined} node @returns {Readonly<Record<string, string>>} */
export function sweepsOf(node) {
  const sweeps = node?.sweep;
  if (typeof sweeps !== "object" || sweeps === null || Array.isArray(sweeps)) return {};
  return /** @type {Record<string, string>} */ (Object.fromEntries(Object.entries(sweeps).filter(([, text]) => typeof text === "string" && text.trim() !== "")));
}

/** The node's field `sweep` with another text for one input; undefined where nothing is swept. @param {NodeData | undefined} node @param {string} name @param {string} text */
export function withSweep(node, name, text) {
  const sweeps = { ...sweepsOf(node), [name]: text };
  if (text.trim() === "") delete sweeps[name];
  return Object.keys(sweeps).length > 0 ? sweeps : undefined;
}

/** Begin to sweep an input, with the one value it has, or the options it has. @param {NodeData | undefined} node @param {string} id @param {InputSpec} input @returns {import("./document.js").Change[]} */
export function beginSweep(node, id, input) {
  const value = node && own(node.inputs, input.name);
  const text = input.type === "bool" ? "yes, no" : String(value ?? input.default ?? "").trim();
  return [{ kind: "field", id, name: "sweep", value: withSweep(node, input.name, text === "" ? "1" : text) }];
}

/** A value as a label: names of files without their folder and ending, long texts cut. @param {unknown} value */
const shown = (value) => {
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

/** The workflow that was swept, of one that runs a sweep; any other as it is. @param {unknown} workflow @returns {unknown} */
export function unswept(workflow) {
  const swept = typeof workflow === "object" && workflow !== null && Object.hasOwn(workflow, "swept") ? /** @type {Record<string, unknown>} */ (workflow).swept : null;
  return typeof swept === "object" && swept !== null ? swept : workflow;
}
