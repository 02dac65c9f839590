/**
 * Sweeps: inputs that take several values, one after the other. A node keeps them beside its inputs as
 * `sweep: {input: "4, 7, 10"}`, which the engine ignores.
 */

import { evaluate } from "./expression.js";
import { own } from "./level.js";

/** @import {InputSpec, NodeData} from "./types.js" */
/** @typedef {{id: string, name: string, values: readonly unknown[], label: string}} Axis */

const MOST_VALUES = 200;
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

/** The workflow that was swept, of one that runs a sweep; any other as it is. @param {unknown} workflow @returns {unknown} */
export function unswept(workflow) {
  const swept = typeof workflow === "object" && workflow !== null && Object.hasOwn(workflow, "swept") ? /** @type {Record<string, unknown>} */ (workflow).swept : null;
  return typeof swept === "object" && swept !== null ? swept : workflow;
}
