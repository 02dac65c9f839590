/** Runs the workflow on the table and keeps what comes back: node states, live previews, problems, pictures; and what waits to follow it. */

import * as api from "./api.js";
import { COPY, IDLE, isActive, isOver, problem, reduce } from "./core/run.js";
import { afterRun, isSeed, nextSeed, seedAfter, seedsOf } from "./core/seeds.js";
import { batch, computed, signal } from "./core/store.js";
import { t } from "./core/strings.js";
import * as jobs from "./jobs.js";
import { learnAll } from "./language.js";
import { BadRequest, requestOf } from "./request.js";

/** @import {Seed} from "./core/seeds.js" */
/** @import {Change} from "./core/document.js" */
/** @import {Editor} from "./core/editor.js" */
/** @import {Run, RunEvent} from "./core/run.js" */
/** @import {NodeData, Problem} from "./core/types.js" */
/** @typedef {{node: string, blob: Blob}} Preview */
/** @typedef {{targets?: readonly string[] | null, count?: number, first?: boolean}} Wanted  `first`: before all that waits */

const AUTO_MS = 600;
const MOST_FRAMES = 240;
/** An edit that the page makes after a run, not the person: it does not start another. */
const AFTER_RUN = "after run";

export class Runner {
  /** @type {import("./core/store.js").Signal<Run>} */
  run = signal(IDLE);
  /** The latest preview. @type {import("./core/store.js").Signal<Preview | null>} */
  preview = signal(/** @type {Preview | null} */ (null));
  /** The previews of the run so far, thinned out where they are many. @type {readonly Preview[]} */
  film = [];
  /** Jobs sent from here that come after the one that is followed. @type {import("./core/store.js").Signal<readonly string[]>} */
  waiting = signal(/** @type {readonly string[]} */ ([]));
  /** Whether every edit is run. */
  auto = signal(false);
  /** How many runs one press of Run is. */
  count = signal(1);
  /** What was refused when Run was pressed; as edits follow, what would be refused now. @type {import("./core/store.js").Signal<readonly Problem[]>} */
  #refused = signal(/** @type {readonly Problem[]} */ ([]));
  /** The values of the cells that failed nodes cost a sweep, by those. @type {import("./core/store.js").Signal<ReadonlyMap<string, readonly string[]>>} */
  #lost = signal(/** @type {ReadonlyMap<string, readonly string[]>} */ (new Map()));
  /** Problems by node; those of the workflow as a whole under "". */
  problems = computed(() => groupByNode([...this.#refused.value, ...failuresOf(this.run.value)], this.#lost.value));
  /** The seeds of the last run, "node\0input" -> value. @type {import("./core/store.js").Signal<ReadonlyMap<string, Seed>>} */
  used = signal(/** @type {ReadonlyMap<string, Seed>} */ (new Map()));
  /** Whether the person has edited the workflow since it was run. */
  edited = signal(false);
  /** Counts finished jobs. */
  finished = signal(0);
  /** When the current run began, and how long the last took, in milliseconds. */
  began = 0;
  took = signal(0);
  /** What was sent, once a node of a sweep has failed. @type {Promise<unknown> | null} */
  #sent = null;
  #editor;
  #notify;
  #stop = () => {};
  #timer = 0;
  /** Runs that were cancelled before their jobs had arrived. @type {WeakSet<Run>} */
  #recalled = new WeakSet();
  /** Whether Run was pressed in vain, so that the person waits to hear that it would go now. */
  #checking = false;
  /** The job that an edit started, not a press. @type {string | null} */
  #automatic = null;

  /** @param {Editor} editor @param {(text: string) => void} notify */
  constructor(editor, notify) {
    this.#editor = editor;
    this.#notify = notify;
    let own = false;
    editor.watch((touched, content) => {
      if (!content || own) return;
      this.edited.value = true;
      this.#forget(touched);
      if (this.auto.peek() && touched !== null) this.#startSoon();
    });
    this.#advance = (changes) => {
      own = true;
      editor.edit(changes, AFTER_RUN);
      editor.seal();
      own = false;
    };
  }

  /** Make an edit that is not the person's own. @type {(changes: Change[]) => void} */
  #advance;

  /** Send the workflow. While one is being sent or is running, nothing happens. @param {Wanted} wanted */
  async start(wanted = {}) {
    if (isActive(this.run.peek())) return;
    const sending = /** @type {Run} */ ({ ...IDLE, state: "sending" });
    this.#begin(sending);
    const sent = await this.#send({ count: this.count.peek(), ...wanted });
    if (this.#recalled.has(sending) && sent.length > 0) await jobs.cancelAll(sent).catch((error) => this.#notify(error.message));
    if (this.run.peek() !== sending) return;
    if (sent.length === 0) {
      this.run.value = IDLE;
      return;
    }
    const [first, ...rest] = sent;
    this.waiting.value = rest;
    this.follow(first);
  }

  /** Send the workflow now, whatever is running; it is followed when its turn comes. @param {Wanted} wanted */
  async enqueue(wanted = {}) {
    if (!isActive(this.run.peek())) return this.start(wanted);
    const sent = await this.#send({ count: 1, ...wanted });
    this.waiting.value = wanted.first ? [...sent, ...this.waiting.peek()] : [...this.waiting.peek(), ...sent];
    if (sent.length > 0) this.#notify(t("queue.added", { count: this.waiting.peek().length }));
  }

  /** @param {Wanted} wanted @returns {Promise<string[]>} ids of the jobs, none where it was refused */
  async #send({ targets = null, count = 1, first = false }) {
    this.#editor.seal();
    this.#refused.value = [];
    this.#checking = false;
    const { document } = this.#editor;
    const seeds = seedsOf(document.sheet("").nodes, (id) => this.#editor.catalogue.specOf(document, id, ""));
    const kept = seeds.every(({ id, name }) => afterRun(document.sheet("").nodes.get(id), name) === "keep");
    /** @type {string[]} */
    const sent = [];
    try {
      for (let number = 0; number < count; number++) {
        const used = new Map(seeds.map(({ id, name }) => [`${id}\0${name}`, /** @type {Seed} */ (document.sheet("").input(id, name))]));
        const request = await requestOf(this.#editor, targets);
        // Runs that all have one seed would be one picture: those after the first take the seeds that follow.
        const body = kept && number > 0 ? { ...request, workflow: shifted(/** @type {any} */ (request.workflow), number) } : request;
        const id = await jobs.submit(body);
        sent.push(id);
        if (first) await jobs.move(id, { position: 0 }).catch(() => null); // It may have begun by now.
        if (document !== this.#editor.document) break;
        this.used.value = used;
        this.#advance(this.#nextSeeds());
      }
    } catch (error) {
      this.#refuse(error);
    }
    return sent;
  }

  /** What would be refused now; it matters once Run was pressed in vain. @param {readonly Partial<Problem>[]} problems */
  check(problems) {
    if (!this.#checking) return;
    this.#refused.value = problems.map((each) => problem(each, null));
    this.#checking = problems.length > 0;
  }

  /** @param {unknown} error */
  #refuse(error) {
    this.#checking = true;
    if (error instanceof BadRequest) this.#refused.value = [error.problem];
    else if (error instanceof api.ApiError) {
      this.#refused.value = error.problems.map((each) => problem(each, null));
      if (error.problems.length === 0) this.#notify(error.message);
    } else throw error;
  }

  /** @returns {Change[]} */
  #nextSeeds() {
    const { document, catalogue } = this.#editor;
    const { nodes } = document.sheet("");
    return seedsOf(nodes, (id) => catalogue.specOf(document, id, "")).flatMap(({ id, name, value }) => {
      const next = nextSeed(afterRun(nodes.get(id), name), value);
      return next === value ? [] : [{ kind: /** @type {const} */ ("input"), level: "", id, name, value: next }];
    });
  }

  /** Run after the person has stopped editing for a moment; a run that an earlier edit started makes room. */
  #startSoon() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(async () => {
      const { job } = this.run.peek();
      if (isActive(this.run.peek())) {
        if (job === null || job !== this.#automatic) return this.#startSoon();
        await this.cancel();
        this.#stop();
        this.run.value = { ...this.run.peek(), state: "cancelled" };
      }
      await this.start({ count: 1 });
      this.#automatic = this.run.peek().job;
    }, AUTO_MS);
  }

  async cancel() {
    const run = this.run.peek();
    const { job } = run;
    if (run.state === "sending") {
      this.#recalled.add(run);
      this.run.value = { ...IDLE, state: "cancelled" };
    }
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

  /** Show what a job made as the result of the workflow on the table, though it ran another. @param {string} job @param {Run["outputs"]} outputs */
  show(job, outputs) {
    this.#stop();
    this.#begin({ ...IDLE, job, outputs });
  }

  /** Leave the run behind: another workflow is on the table. */
  leave() {
    this.#stop();
    batch(() => {
      this.run.value = IDLE;
      this.waiting.value = [];
      this.#refused.value = [];
      this.#checking = false;
      this.preview.value = null;
    });
  }

  /** @param {Run} run */
  #begin(run) {
    this.began = performance.now();
    this.film = [];
    this.#sent = null;
    batch(() => {
      this.run.value = run;
      this.#lost.value = new Map();
      this.edited.value = false;
      this.preview.value = null;
    });
  }

  /** @param {string} job @param {RunEvent[]} events @returns {boolean} whether to go on */
  #take(job, events) {
    const { run } = reduce(this.run.peek(), events);
    const previews = events.filter((event) => event.type === "preview").map(decode);
    this.film = [...this.film, ...previews];
    if (this.film.length > MOST_FRAMES) this.film = this.film.filter((_, index) => index % 2 === 0);
    batch(() => {
      this.run.value = run;
      this.preview.value = previews.at(-1) ?? this.preview.peek();
    });
    if ((isOver(run) || events.some(({ type }) => type === "failed")) && failuresOf(run).some(({ node }) => node?.includes(COPY))) {
      this.#nameLost(job).catch((error) => this.#notify(error.message));
    }
    if (run.state === "queued" && events.some((event) => event.type === "state" && event.reason)) void learnAll().then(() => this.#notify(t("job.again")));
    if (!isOver(run)) return true;
    this.took.value = performance.now() - this.began;
    this.#collect(job).catch((error) => this.#notify(error.message));
    return false;
  }

  /** Find which cells of a sweep are lost. @param {string} job */
  async #nameLost(job) {
    const [{ lostCells }, workflow] = await Promise.all([import("./core/cells.js"), (this.#sent ??= api.jobWorkflow(job))]);
    const run = this.run.peek();
    if (run.job === job) this.#lost.value = lostCells(workflow, run.told);
  }

  /** The pictures of a finished job; then the next one that waits is followed. @param {string} job */
  async #collect(job) {
    const { outputs, started, finished } = await api.job(job);
    if (this.run.peek().job !== job) return;
    batch(() => {
      if (started && finished) this.took.value = finished - started;
      this.run.value = { ...this.run.peek(), outputs };
      this.preview.value = null;
      this.finished.value += 1;
    });
    const [next, ...rest] = this.waiting.peek();
    if (next === undefined) return;
    this.waiting.value = rest;
    this.follow(next);
  }

  /** What an edited or deleted node failed with is past; how any other fared is there when its deletion is undone. @param {ReadonlySet<string> | null} touched */
  #forget(touched) {
    if (touched === null) return;
    const run = this.run.peek();
    if (isActive(run)) return;
    const stale = [...touched].filter((id) => run.nodes.get(this.#editor.runId(id))?.state === "failed").map((id) => this.#editor.runId(id));
    if (run.error === null && !stale.some((id) => run.nodes.has(id))) return;
    const [told, nodes] = [new Map(run.told), new Map(run.nodes)];
    for (const id of [...told.keys()]) if (stale.includes(original(id))) told.delete(id);
    for (const id of stale) nodes.delete(id);
    this.run.value = { ...run, told, nodes, error: null };
  }
}

/** The workflow with seeds that are `by` further. @param {{nodes: Record<string, NodeData>}} workflow @param {number} by */
function shifted(workflow, by) {
  const nodes = Object.entries(workflow.nodes).map(([id, node]) => {
    const { seed } = node.inputs;
    return [id, isSeed(seed) ? { ...node, inputs: { ...node.inputs, seed: seedAfter(seed, by) } } : node];
  });
  return { ...workflow, nodes: Object.fromEntries(nodes) };
}

/** @param {RunEvent} event @returns {Preview} */
function decode(event) {
  const bytes = Uint8Array.from(atob(event.data ?? ""), (letter) => letter.charCodeAt(0));
  return { node: event.node ?? "", blob: new Blob([bytes], { type: event.media_type }) };
}

/** The node that another is a copy of. @param {string} id */
const original = (id) => id.replaceAll(new RegExp(`${COPY}[^/:]*`, "g"), "");

/** Errors of a run: of its nodes, and the job's own unless a node already says it. @param {Run} run @returns {Problem[]} */
function failuresOf(run) {
  /** @type {Problem[]} */
  const failed = [...run.told].flatMap(([id, node]) => (node.error ? [{ ...node.error, node: id }] : []));
  if (run.error && !failed.some((each) => each.node === run.error?.node)) failed.push(run.error);
  return failed.map((each) => ({ ...each, message: each.message || t("status.failed") }));
}

/** Problems by the node of the document they belong to, each said once, with all cells `lost` by it. @param {readonly Problem[]} problems @param {ReadonlyMap<string, readonly string[]>} lost @returns {ReadonlyMap<string, readonly Problem[]>} */
function groupByNode(problems, lost) {
  /** @type {Map<string, Map<string, Problem>>} */
  const groups = new Map();
  for (const each of problems) {
    const node = each.node === null ? null : original(each.node);
    const group = groups.get(node ?? "") ?? new Map();
    const key = `${each.port}\0${each.message.replaceAll(/node \S+/g, "")}`;
    const cells = [...new Set([...(group.get(key)?.cells ?? []), ...(lost.get(each.node ?? "") ?? [])])];
    groups.set(node ?? "", group.set(key, { ...each, node, message: each.message.replace(`node ${each.node} `, `node ${node} `), cells }));
  }
  return new Map([...groups].map(([node, group]) => [node, [...group.values()]]));
}
