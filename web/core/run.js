/** What a run has done so far, folded from its events: one state per node, and the job's own. */

/** @import {OutputFile, Problem} from "./types.js" */

/**
 * @typedef {"queued" | "running" | "cached" | "ran" | "failed" | "skipped"} NodeState
 * @typedef {{state: NodeState, reason: string, ms?: number, step?: number, total?: number, error?: Problem}} NodeRun
 * @typedef {"idle" | "sending" | "queued" | "running" | "done" | "failed" | "cancelled"} JobState
 * @typedef {{job: string | null, state: JobState, last: number, active: string | null,
 *            nodes: ReadonlyMap<string, NodeRun>, error: Problem | null,
 *            outputs: Readonly<Record<string, readonly OutputFile[]>>}} Run
 * @typedef {{n?: number, job?: string, type: string, node?: string, reason?: string, step?: number, total?: number,
 *            ms?: number, state?: string, error?: Partial<Problem> | string | null, media_type?: string, data?: string,
 *            nodes?: Readonly<Record<string, NodeRun>>}} RunEvent
 */

/** @type {Run} */
export const IDLE = { job: null, state: "idle", last: 0, active: null, nodes: new Map(), error: null, outputs: {} };

const FINAL = new Set(["done", "failed", "cancelled"]);

/** @param {Run} run */
export const isOver = (run) => FINAL.has(run.state);

/** @param {Run} run */
export const isActive = (run) => run.state === "sending" || run.state === "queued" || run.state === "running";

/**
 * The run after some events. Events seen before (by number) change nothing, so a replay after a reconnect is harmless.
 * @param {Run} run
 * @param {readonly RunEvent[]} events
 * @returns {{run: Run, touched: Set<string>}} and the nodes that look different
 */
export function reduce(run, events) {
  const nodes = new Map(run.nodes);
  /** @type {Set<string>} */
  const touched = new Set();
  const next = { ...run, nodes };
  for (const event of events) {
    if (event.n !== undefined && event.n <= next.last) continue;
    next.last = event.n ?? next.last;
    if (event.type === "state") applyState(next, event, touched);
    else if (event.type === "snapshot") applySnapshot(next, event, touched);
    else if (event.node !== undefined) {
      const before = nodes.get(event.node);
      const after = nodeAfter(before, event);
      if (!after) continue;
      nodes.set(event.node, after);
      touched.add(event.node);
      if (after.state === "running") next.active = event.node;
    }
  }
  if (next.active === null || nodes.get(next.active)?.state !== "running") {
    next.active = [...nodes].find(([, node]) => node.state === "running")?.[0] ?? null;
  }
  return { run: next, touched };
}

/** @param {Run & {nodes: Map<string, NodeRun>}} run @param {RunEvent} event @param {Set<string>} touched */
function applyState(run, event, touched) {
  run.state = /** @type {JobState} */ (event.state);
  if (event.error) run.error = problem(event.error, null);
  if (run.state === "running") forget(run, touched, () => true);
  if (isOver(run)) forget(run, touched, (node) => node.state === "queued" || node.state === "running");
}

/** What became of each node, in place of events that are forgotten. @param {Run & {nodes: Map<string, NodeRun>}} run @param {RunEvent} event @param {Set<string>} touched */
function applySnapshot(run, event, touched) {
  for (const [id, { state, reason, ms }] of Object.entries(event.nodes ?? {})) {
    run.nodes.set(id, { state, reason, ms });
    touched.add(id);
  }
}

/** A job that starts over, or is over, has no use for some node states. @param {Run & {nodes: Map<string, NodeRun>}} run @param {Set<string>} touched @param {(node: NodeRun) => boolean} which */
function forget(run, touched, which) {
  run.active = null;
  for (const [id, node] of run.nodes) {
    if (!which(node)) continue;
    run.nodes.delete(id);
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
      return { state: "ran", reason, ms: event.ms };
    case "failed":
      return { state: "failed", reason, error: problem(event.error, event.node ?? null) };
    case "skipped":
      return { state: "skipped", reason };
    default:
      return null;
  }
}

/** @param {Partial<Problem> | string | null | undefined} error @param {string | null} node @returns {Problem} */
export function problem(error, node) {
  if (typeof error === "string") return { code: "error", node, port: null, message: error };
  return { ...error, code: error?.code ?? "error", node: error?.node ?? node, port: error?.port ?? null, message: error?.message ?? "" };
}

/**
 * A problem's message where its node is plain to see: without the words that name the node.
 * @param {Problem} problem
 * @param {string} kind  the title of the node's definition
 */
export function sentence(problem, kind) {
  const named = [`node ${problem.node} ${kind}: `, `node ${problem.node}: `].find((prefix) => problem.message.startsWith(prefix));
  const text = problem.message.slice(named?.length ?? 0);
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** How far a run is, in 0..1: nodes that are through, and the running node's own steps. @param {Run} run */
export function fraction(run) {
  if (run.nodes.size === 0) return 0;
  let through = 0;
  for (const node of run.nodes.values()) {
    if (node.state === "running") through += node.total ? (node.step ?? 0) / node.total : 0;
    else if (node.state !== "queued") through += 1;
  }
  return through / run.nodes.size;
}

/** @param {number} ms  Milliseconds as a person says them: "12 ms", "1.2 s", "2 min 5 s". */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}
