/** What a run has done so far, folded from its events: a state for every node it told of, and for the nodes those belong to. */

import { portLabel } from "./naming.js";
import { said, t } from "./strings.js";

/** @import {OutputFile, Problem} from "./types.js" */

/**
 * @typedef {"idle" | "queued" | "running" | "cached" | "ran" | "failed" | "skipped"} NodeState
 * @typedef {{state: NodeState, reason: string, ms?: number, bytes?: number, step?: number, total?: number, error?: Problem, next?: string}} NodeRun
 *   `bytes`: of what it made; `next`: why it would run now, absent where it would not
 * @typedef {"idle" | "sending" | "queued" | "running" | "done" | "failed" | "cancelled"} JobState
 * @typedef {{ms: number, left: number, bytes: number, unknown: number}} Estimate  milliseconds from start to end, and from now on
 * @typedef {{job: string | null, state: JobState, last: number, active: string | null,
 *            told: ReadonlyMap<string, NodeRun>, nodes: ReadonlyMap<string, NodeRun>, error: Problem | null, estimate: Estimate | null,
 *            outputs: Readonly<Record<string, readonly OutputFile[]>>}} Run
 *   `told`: as the events say; `nodes`: those, and every node they are parts of
 * @typedef {{n?: number, job?: string, type: string, node?: string, reason?: string, step?: number, total?: number,
 *            ms?: number, bytes?: number, left_ms?: number, peak_bytes?: number, unknown?: number,
 *            state?: string, error?: Partial<Problem> | string | null, media_type?: string, data?: string,
 *            nodes?: Readonly<Record<string, NodeRun>>}} RunEvent
 */

/** What stands between the id of a node and the number of its copy in a sweep. */
export const COPY = "@";

/** @type {Run} */
export const IDLE = { job: null, state: "idle", last: 0, active: null, told: new Map(), nodes: new Map(), error: null, estimate: null, outputs: {} };

/** Of so many cells of a sweep that one failure cost it is said which they are. */
const MOST_CELLS = 6;

const FINAL = new Set(["done", "failed", "cancelled"]);

/** @param {Run} run */
export const isOver = (run) => FINAL.has(run.state);

/** @param {Run} run */
export const isActive = (run) => run.state === "sending" || run.state === "queued" || run.state === "running";

/**
 * The node that another lies in ("5/2" in the component 5), grew of ("5/2", "5:1"), or is a copy of ("5@2"); null for
 * a node that stands for itself.
 * @param {string} id
 */
export function parentOf(id) {
  const at = Math.max(id.lastIndexOf("/"), id.lastIndexOf(":"), id.lastIndexOf(COPY));
  return at > 0 ? id.slice(0, at) : null;
}

/** The node of the workflow itself that another is part of. @param {string} id @returns {string} */
export function rootOf(id) {
  const parent = parentOf(id);
  return parent === null ? id : rootOf(parent);
}

/**
 * The run after some events. Events seen before (by number) change nothing, so a replay after a reconnect is harmless.
 * @param {Run} run
 * @param {readonly RunEvent[]} events
 * @returns {{run: Run, touched: Set<string>}} and the nodes that look different
 */
export function reduce(run, events) {
  const told = new Map(run.told);
  /** @type {Set<string>} */
  const touched = new Set();
  const next = { ...run, told };
  for (const event of events) {
    if (event.n !== undefined && event.n <= next.last) continue;
    next.last = event.n ?? next.last;
    if (event.type === "state") applyState(next, event, touched);
    else if (event.type === "snapshot") applySnapshot(next, event, touched);
    else if (event.type === "estimate") next.estimate = { ms: event.ms ?? 0, left: event.left_ms ?? 0, bytes: event.peak_bytes ?? 0, unknown: event.unknown ?? 0 };
    else if (event.node !== undefined) {
      const after = nodeAfter(told.get(event.node), event);
      if (!after) continue;
      told.set(event.node, after);
      touched.add(event.node);
      if (after.state === "running") next.active = event.node;
    }
  }
  if (next.active === null || told.get(next.active)?.state !== "running") {
    next.active = [...told].find(([, node]) => node.state === "running")?.[0] ?? null;
  }
  next.nodes = summed(run.nodes, told, touched);
  return { run: next, touched };
}

/**
 * The states of nodes and of those they are parts of, brought up to date; `touched` grows by the latter.
 * @param {ReadonlyMap<string, NodeRun>} before
 * @param {ReadonlyMap<string, NodeRun>} told
 * @param {Set<string>} touched
 */
function summed(before, told, touched) {
  const nodes = new Map(before);
  for (const id of touched) {
    const node = told.get(id);
    if (node) nodes.set(id, node);
    else nodes.delete(id);
  }
  /** @type {Set<string>} */
  const wholes = new Set();
  for (const id of touched) for (let parent = parentOf(id); parent !== null; parent = parentOf(parent)) wholes.add(parent);
  if (wholes.size === 0) return nodes;
  /** @type {Map<string, NodeRun[]>} */
  const parts = new Map([...wholes].map((id) => [id, []]));
  for (const [id, node] of told) for (let parent = parentOf(id); parent !== null; parent = parentOf(parent)) parts.get(parent)?.push(node);
  for (const [id, each] of parts) {
    touched.add(id);
    if (each.length > 0) nodes.set(id, whole(told.get(id), each));
    else if (!told.has(id)) nodes.delete(id);
  }
  return nodes;
}

/** What a node shows that has parts: its own state where it has one, else what its parts make together. @param {NodeRun | undefined} own @param {readonly NodeRun[]} parts @returns {NodeRun} */
function whole(own, parts) {
  const has = (/** @type {NodeState} */ state) => parts.find((part) => part.state === state);
  const through = parts.filter((part) => part.state !== "queued" && part.state !== "running").length;
  const order = /** @type {NodeState[]} */ (["failed", "running", "queued", "ran", "cached", "skipped"]);
  let state = own?.state ?? order.find(has) ?? "skipped";
  if (!own && state === "queued" && through > 0) state = "running";
  const { reason, error } = own ?? has(state) ?? parts[0];
  if (state === "running") {
    const running = has("running");
    if (own?.total) return own;
    if (parts.length === 1 && running) return { ...running, state, reason };
    return { state, reason, step: through, total: parts.length };
  }
  const ms = own?.ms ?? (state === "ran" ? parts.reduce((sum, part) => sum + (part.ms ?? 0), 0) : undefined);
  const size = (own?.bytes ?? 0) + parts.reduce((sum, part) => sum + (part.bytes ?? 0), 0);
  return { state, reason, ...(ms === undefined ? {} : { ms }), ...(size === 0 ? {} : { bytes: size }), ...(error ? { error } : {}) };
}

/** @typedef {Run & {told: Map<string, NodeRun>}} Folding */

/** @param {Folding} run @param {RunEvent} event @param {Set<string>} touched */
function applyState(run, event, touched) {
  run.state = /** @type {JobState} */ (event.state);
  if (event.error) run.error = problem(event.error, null);
  if (run.state === "running") forget(run, touched, () => true);
  if (isOver(run)) {
    forget(run, touched, (node) => node.state === "queued" || node.state === "running");
    run.estimate = null;
  }
}

/** What became of each node, in place of events that are forgotten. @param {Folding} run @param {RunEvent} event @param {Set<string>} touched */
function applySnapshot(run, event, touched) {
  for (const [id, { state, reason, ms }] of Object.entries(event.nodes ?? {})) {
    run.told.set(id, { state, reason, ms });
    touched.add(id);
  }
}

/** A job that starts over, or is over, has no use for some node states. @param {Folding} run @param {Set<string>} touched @param {(node: NodeRun) => boolean} which */
function forget(run, touched, which) {
  run.active = null;
  for (const [id, node] of run.told) {
    if (!which(node)) continue;
    run.told.delete(id);
    touched.add(id);
  }
}

/** @param {NodeRun | undefined} before @param {RunEvent} event @returns {NodeRun | null} */
function nodeAfter(before, event) {
  const reason = event.reason ?? before?.reason ?? "";
  switch (event.type) {
    case "queued":
      return { state: "queued", reason };
    case "cached":
      return { state: "cached", reason };
    case "started":
      return { state: "running", reason };
    case "progress":
      return { state: "running", reason, step: event.step, total: event.total };
    case "finished":
      return { state: "ran", reason, ms: event.ms, ...(event.bytes ? { bytes: event.bytes } : {}) };
    case "failed":
      return { state: "failed", reason, error: problem(event.error, event.node ?? null) };
    case "skipped":
      return { state: "skipped", reason };
    default:
      return null;
  }
}

/** A problem, told of the node of the workflow it belongs to. @param {Partial<Problem> | string | null | undefined} error @param {string | null} node @returns {Problem} */
export function problem(error, node) {
  if (typeof error === "string") return { code: "error", node, port: null, message: error };
  return { ...error, code: error?.code ?? "error", node: error?.node ?? node, port: error?.port ?? null, message: error?.message ?? "" };
}

/**
 * A problem's message in the language of the page where it has a sentence for it, else the engine's, without the words that
 * name the node, which is plain to see.
 * @param {Problem} problem
 * @param {string} kind  the title of the node's definition
 */
export function sentence(problem, kind) {
  const named = [`node ${problem.node} ${kind}: `, `node ${problem.node}: `].find((prefix) => problem.message.startsWith(prefix));
  const message = problem.message.slice(named?.length ?? 0);
  const text = said({ ...problem, message }, portLabel(problem.port ?? "")) || message;
  const { cells = [] } = problem;
  if (cells.length === 0) return text.slice(0, 1).toUpperCase() + text.slice(1);
  const more = cells.length - MOST_CELLS;
  return t(more > 0 ? "problem.moreCells" : "problem.cells", { lost: cells.slice(0, MOST_CELLS).join("; "), more, why: text });
}

/** How far a run is, in 0..1: by the time it takes where that is known, else by nodes that are through and the steps of the running one. @param {Run} run */
export function fraction(run) {
  if (run.estimate && run.estimate.ms > 0 && run.estimate.unknown === 0) return Math.max(0, 1 - run.estimate.left / run.estimate.ms);
  if (run.told.size === 0) return 0;
  let through = 0;
  for (const node of run.told.values()) {
    if (node.state === "running") through += node.total ? (node.step ?? 0) / node.total : 0;
    else if (node.state !== "queued") through += 1;
  }
  return through / run.told.size;
}

/** @param {number} ms  Milliseconds as a person says them: "12 ms", "1.2 s", "2 min 5 s", "3 h 20 min". */
export function duration(ms) {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param {number} count  Bytes as a person says them: "12 KB", "1.5 GB". */
export function byteSize(count) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** power;
  return `${value < 10 && power > 1 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}
