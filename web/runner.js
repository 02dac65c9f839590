/** Runs the workflow on the table and keeps what comes back: node states, live preview, problems, pictures. */

import * as api from "./api.js";
import { IDLE, isActive, isOver, problem, reduce } from "./core/run.js";
import { batch, computed, signal } from "./core/store.js";
import { t } from "./core/strings.js";

/** @import {Editor} from "./core/editor.js" */
/** @import {Run, RunEvent} from "./core/run.js" */
/** @import {Problem} from "./core/types.js" */
/** @typedef {{node: string, blob: Blob}} Preview */

export class Runner {
  /** @type {import("./core/store.js").Signal<Run>} */
  run = signal(IDLE);
  /** @type {import("./core/store.js").Signal<Preview | null>} */
  preview = signal(/** @type {Preview | null} */ (null));
  /** What the server refused, until the node concerned is edited. @type {import("./core/store.js").Signal<readonly Problem[]>} */
  #refused = signal(/** @type {readonly Problem[]} */ ([]));
  /** Problems by node; those of the workflow as a whole under "". */
  problems = computed(() => groupByNode([...this.#refused.value, ...failuresOf(this.run.value)]));
  /** Counts finished jobs. */
  finished = signal(0);
  /** When the current run began, and how long the last took, in milliseconds. */
  began = 0;
  took = signal(0);
  #editor;
  #notify;
  #stop = () => {};

  /** @param {Editor} editor @param {(text: string) => void} notify */
  constructor(editor, notify) {
    this.#editor = editor;
    this.#notify = notify;
    editor.watch((touched, content) => {
      if (content) this.#forget(touched);
    });
  }

  /** Send the workflow. While one is being sent or is running, nothing happens. */
  async start() {
    if (isActive(this.run.peek())) return;
    this.#editor.seal();
    this.#refused.value = [];
    this.#begin({ ...IDLE, state: "sending" });
    try {
      this.follow(await api.submit(this.#editor.document.toJSON()));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      batch(() => {
        this.run.value = IDLE;
        this.#refused.value = error.problems.map((each) => problem(each, null));
      });
      if (error.problems.length === 0) this.#notify(error.message);
    }
  }

  async cancel() {
    const { job } = this.run.peek();
    if (job === null) return;
    await api.cancel(job).catch((error) => this.#notify(error.message));
  }

  /** Follow a job of an earlier visit, if the server still knows it. @param {string} job */
  async resume(job) {
    try {
      await api.job(job);
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      return;
    }
    if (this.run.peek() === IDLE) this.follow(job);
  }

  /** Follow a job, from its first event on. @param {string} job */
  follow(job) {
    this.#stop();
    this.#begin({ ...IDLE, job, state: "queued" });
    this.#stop = api.followJob(job, 0, (events) => this.#take(job, events));
  }

  /** Leave the run behind: another workflow is on the table. */
  leave() {
    this.#stop();
    batch(() => {
      this.run.value = IDLE;
      this.#refused.value = [];
      this.preview.value = null;
    });
  }

  /** @param {Run} run */
  #begin(run) {
    this.began = performance.now();
    batch(() => {
      this.run.value = run;
      this.preview.value = null;
    });
  }

  /** @param {string} job @param {RunEvent[]} events @returns {boolean} whether to go on */
  #take(job, events) {
    const { run } = reduce(this.run.peek(), events);
    const preview = events.findLast((event) => event.type === "preview");
    batch(() => {
      this.run.value = run;
      if (preview) this.preview.value = decode(preview);
    });
    if (!isOver(run)) return true;
    this.took.value = performance.now() - this.began;
    this.#collect(job).catch((error) => this.#notify(error.message));
    return false;
  }

  /** The pictures of a finished job. @param {string} job */
  async #collect(job) {
    const { outputs, started, finished } = await api.job(job);
    if (this.run.peek().job !== job) return;
    batch(() => {
      if (started && finished) this.took.value = finished - started;
      this.run.value = { ...this.run.peek(), outputs };
      this.preview.value = null;
      this.finished.value += 1;
    });
  }

  /** An edited node's problems are no longer those the server saw. @param {ReadonlySet<string> | null} touched */
  #forget(touched) {
    if (touched === null) return;
    const kept = this.#refused.peek().filter((each) => each.node !== null && !touched.has(each.node));
    if (kept.length !== this.#refused.peek().length) this.#refused.value = kept;
    const run = this.run.peek();
    if (isActive(run)) return;
    const stale = [...touched].filter((id) => run.nodes.get(id)?.state === "failed" || !this.#editor.document.nodes.has(id));
    if (run.error === null && !stale.some((id) => run.nodes.has(id))) return;
    const nodes = new Map(run.nodes);
    for (const id of stale) nodes.delete(id);
    this.run.value = { ...run, nodes, error: null };
  }
}

/** @param {RunEvent} event @returns {Preview} */
function decode(event) {
  const bytes = Uint8Array.from(atob(event.data ?? ""), (letter) => letter.charCodeAt(0));
  return { node: event.node ?? "", blob: new Blob([bytes], { type: event.media_type }) };
}

/** Errors of a run: of its nodes, and the job's own unless a node already says it. @param {Run} run @returns {Problem[]} */
function failuresOf(run) {
  /** @type {Problem[]} */
  const failed = [...run.nodes].flatMap(([id, node]) => (node.error ? [{ ...node.error, node: id }] : []));
  if (run.error && !failed.some((each) => each.node === run.error?.node)) failed.push(run.error);
  return failed.map((each) => ({ ...each, message: each.message || t("status.failed") }));
}

/** @param {readonly Problem[]} problems @returns {ReadonlyMap<string, readonly Problem[]>} */
function groupByNode(problems) {
  /** @type {Map<string, Problem[]>} */
  const groups = new Map();
  for (const each of problems) groups.set(each.node ?? "", [...(groups.get(each.node ?? "") ?? []), each]);
  return groups;
}
