/** What becomes of a seed after a run; the document keeps it beside the inputs of a node, as `after_run: {input: mode}`. */

/** @import {NodeData, NodeSpec} from "./types.js" */
/** @typedef {"keep" | "random" | "increment" | "decrement"} AfterRun */
/** @typedef {number | string} Seed  as a text of its digits where it is larger than a number holds exactly */
/** @typedef {{id: string, name: string, value: Seed}} Seeded */

export const AFTER_RUN = /** @type {const} */ (["keep", "random", "increment", "decrement"]);
/** Drawn seeds lie below this: short enough to read, say and type. */
const DRAWN = 1_000_000_000;

/** @param {NodeData | undefined} node @param {string} name @returns {AfterRun} */
export function afterRun(node, name) {
  const modes = node?.after_run;
  const mode = typeof modes === "object" && modes !== null && Object.hasOwn(modes, name) ? /** @type {Record<string, unknown>} */ (modes)[name] : "keep";
  return AFTER_RUN.find((each) => each === mode) ?? "keep";
}

/** The node's field `after_run` with another mode for one input; undefined where nothing is left to say. @param {NodeData | undefined} node @param {string} name @param {AfterRun} mode */
export function withAfterRun(node, name, mode) {
  const modes = typeof node?.after_run === "object" ? { .../** @type {Record<string, unknown>} */ (node.after_run) } : {};
  if (mode === "keep") delete modes[name];
  else modes[name] = mode;
  return Object.keys(modes).length > 0 ? modes : undefined;
}

export const drawSeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % DRAWN;

const LARGEST = 2n ** 64n - 1n;
const DIGITS = /^\d{1,20}$/;

/** @param {unknown} value @returns {value is Seed} */
export const isSeed = (value) => typeof value === "number" || (typeof value === "string" && DIGITS.test(value));

/** The seed so much further on, within what seeds may be. @param {Seed} value @param {number} by */
export function seedAfter(value, by) {
  const far = BigInt(typeof value === "number" ? Math.trunc(value) : value) + BigInt(Math.trunc(by));
  const near = far < 0n ? 0n : far > LARGEST ? LARGEST : far;
  return near <= Number.MAX_SAFE_INTEGER ? Number(near) : String(near);
}

/** @param {AfterRun} mode @param {Seed} value @param {() => number} draw @returns {Seed} */
export function nextSeed(mode, value, draw = drawSeed) {
  if (mode === "random") return draw();
  return mode === "keep" ? value : seedAfter(value, mode === "increment" ? 1 : -1);
}

/** The seeds of a workflow that are no links: where they are, what they are. @param {Iterable<[string, NodeData]>} nodes @param {(id: string) => NodeSpec} spec @returns {Seeded[]} */
export function seedsOf(nodes, spec) {
  return [...nodes].flatMap(([id, node]) =>
    spec(id).inputs.flatMap((input) => {
      const value = node.inputs[input.name];
      return input.widget?.kind === "Seed" && isSeed(value) ? [{ id, name: input.name, value }] : [];
    }),
  );
}
