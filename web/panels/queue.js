/** The queue: what runs, what waits, in an order that can be changed, and what was run lately. */

import * as api from "../api.js";
import { button, h, icon, setText } from "../dom.js";
import { duration, fraction, problem, sentence } from "../core/run.js";
import { isSeed } from "../core/seeds.js";
import { effect, signal } from "../core/store.js";
import { language, t } from "../core/strings.js";
import * as jobs from "../jobs.js";
import { thumbnailOf } from "../pictures.js";
import { Watched } from "./watched.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {JobSummary} from "../api.js" */
/** @import {Catalogue} from "../core/catalogue.js" */
/** @import {NodeData} from "../core/types.js" */
/** @import {Queue} from "../jobs.js" */
/** @import {Run} from "../core/run.js" */
/** @typedef {{queue: Queue, running: readonly JobSummary[], waiting: readonly JobSummary[], recent: readonly JobSummary[]}} Look */

const RECENT = 20;
const PRIORITIES = /** @type {const} */ ([[10, "queue.high"], [0, "queue.normal"], [-10, "queue.low"]]);
const SOON_MS = 120;
/** Of so many jobs that wait it is said what they are about. */
const MOST_TOLD = 30;

/** @param {Parts} parts */
export function queuePanel({ editor, runner, engine, workspace, notify, dock }) {
  /** What jobs are about. @type {Map<string, Promise<string>>} */
  const about = new Map();
  const watched = new Watched();
  const look = signal(/** @type {Look | null} */ (null));
  const pause = button({ label: t("queue.pause"), icon: "pause", class: "button" }, () => void change(() => jobs.pause(!look.peek()?.queue.paused)));
  const clear = button({ label: t("queue.cancelAll"), icon: "close", class: "button" }, () => void change(() => jobs.cancelAll(look.peek()?.queue.queued ?? [])));
  const note = h("p", { class: "quiet", role: "status" });
  const running = h("ul", { class: "jobs" });
  const waiting = h("ol", { class: "jobs", "aria-label": t("queue.title") });
  const recent = h("ul", { class: "jobs" });
  const rows = {
    running: new Rows(running, (job) => runningItem(job)),
    waiting: new Rows(waiting, (job) => waitingItem(job)),
    recent: new Rows(recent, (job) => recentItem(job)),
  };
  const heading = h("h3");
  const hint = h("p", { class: "quiet queue-hint" }, t("queue.hint"));
  const recentHeading = h("h3", {}, t("queue.recent"));
  const element = h(
    "section",
    { class: "panel-section queue" },
    h("div", { class: "section-head" }, h("h2", {}, t("queue.title")), h("span", { class: "spring" }), pause, clear),
    note,
    running,
    heading,
    waiting,
    hint,
    recentHeading,
    recent,
  );

  const refresh = async () => {
    const [queue, begun, queued, last] = await Promise.all([jobs.queue(), jobs.page("state=running&limit=500"), jobs.page("state=queued&limit=500"), jobs.page(`limit=${RECENT}`)]);
    const byId = new Map(queued.jobs.map((job) => [job.id, job]));
    look.value = { queue, running: begun.jobs.toReversed(), waiting: queue.queued.flatMap((id) => byId.get(id) ?? []), recent: last.jobs.filter((job) => !["queued", "running"].includes(job.state)) };
  };
  const soon = () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => refresh().catch(told), SOON_MS);
  };
  let timer = 0;
  const told = (/** @type {unknown} */ error) => {
    if (!(error instanceof api.ApiError)) throw error;
    notify(error.message);
  };
  const change = (/** @type {() => Promise<unknown>} */ act) => act().then(refresh).catch(told);

  /** @param {string} id @param {number} at where it is to stand */
  const moveTo = async (id, at) => {
    await change(() => jobs.move(id, { position: at }));
    /** @type {HTMLElement | null} */ (waiting.querySelector(`[data-job="${CSS.escape(id)}"]`))?.focus();
  };

  /** Say in a row what its job is about, once that is known. @param {string} id @param {HTMLElement} row */
  const tell = async (id, row) => {
    if (row.dataset.told) return;
    row.dataset.told = "yes";
    const found = about.get(id) ?? api.jobWorkflow(id).then((workflow) => aboutOf(workflow, editor.catalogue));
    about.set(id, found);
    const text = await found.catch(() => ""); // A job that cannot be read any more keeps its time as its name.
    if (text === "") return;
    row.querySelector(".job-name")?.append(h("small", { title: text }, text));
    if (row.ariaLabel) row.ariaLabel += `, ${text}`;
  };
  /** @param {JobSummary} job */
  const waitingItem = (job) => {
    const name = nameOf(job);
    const place = () => [...waiting.children].indexOf(item);
    const priority = h("select", { class: "field", "aria-label": t("queue.priority", { name }) }, ...PRIORITIES.map(([value, key]) => h("option", { value, selected: value === nearest(job.priority ?? 0) }, t(key))));
    priority.addEventListener("change", () => void change(() => jobs.move(job.id, { priority: Number(priority.value) })));
    const item = h(
      "li",
      { class: "job", draggable: "true", tabindex: 0, "data-job": job.id, "aria-label": name },
      icon("grip"),
      h("span", { class: "job-name" }, name),
      priority,
      button({ label: t("queue.up", { name }), icon: "up", class: "button small" }, () => void moveTo(job.id, Math.max(0, place() - 1))),
      button({ label: t("queue.down", { name }), icon: "down", class: "button small" }, () => void moveTo(job.id, place() + 1)),
      button({ label: t("queue.cancel", { name }), icon: "close", class: "button small" }, () => void change(() => api.cancel(job.id))),
    );
    item.addEventListener("keydown", (event) => {
      const step = event.altKey ? { ArrowUp: -1, ArrowDown: 1 }[event.key] : undefined;
      if (step === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      void moveTo(job.id, Math.max(0, place() + step));
    });
    item.addEventListener("dragstart", (event) => event.dataTransfer?.setData("application/x-weft-job", job.id));
    item.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("application/x-weft-job")) return;
      event.preventDefault();
      item.classList.add("over");
    });
    item.addEventListener("dragleave", () => item.classList.remove("over"));
    item.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation();
      const id = event.dataTransfer?.getData("application/x-weft-job") ?? "";
      if (id !== "" && id !== job.id) void moveTo(id, place());
    });
    return item;
  };

  /** @param {JobSummary} job */
  const runningItem = (job) => {
    const name = nameOf(job);
    const cancel = button({ label: t("queue.cancel", { name }), icon: "close", class: "button small" }, () => void change(() => api.cancel(job.id)));
    const bar = h("progress", { max: 100, value: 0, "aria-label": name });
    return h("li", { class: "job running", "data-job": job.id }, icon("run"), h("span", { class: "job-name" }, name), h("span", { class: "quiet" }), bar, cancel);
  };
  /** Say how far a job is. @param {Element} row @param {Run | undefined} run  undefined: nothing is heard of it yet */
  const showRun = (row, run) => {
    const left = run?.estimate && run.estimate.left >= 1000 ? t("queue.left", { duration: duration(run.estimate.left) }) : "";
    /** @type {HTMLProgressElement} */ (row.querySelector("progress")).value = run ? Math.round(100 * fraction(run)) : 0;
    setText(/** @type {Element} */ (row.querySelector(".quiet")), left);
  };

  /** @param {JobSummary} job */
  const recentItem = (job) => {
    const name = nameOf(job);
    const picture = Object.values(job.outputs).flat().findLast((file) => file.media_type.startsWith("image/"));
    const took = job.started && job.finished ? duration(job.finished - job.started) : "";
    const state = job.state === "done" ? took : t(job.state === "failed" ? "job.failed" : "job.cancelled");
    return h(
      "li",
      { class: `job ${job.state}`, "data-job": job.id },
      picture ? h("img", { src: thumbnailOf(picture.url), alt: "", loading: "lazy", draggable: "false" }) : h("span", { class: "job-blank" }),
      h("span", { class: "job-name", title: job.error ? sentence(problem(job.error, null), "") : "" }, name),
      h("span", { class: "quiet" }, state),
      button({ label: t("queue.open", { name }), icon: "graph", class: "button small" }, () => void workspace.openJob(job.id)),
      button({ label: t("queue.repeat", { name }), icon: "repeat", class: "button small" }, () => void change(() => jobs.rerun(job.id))),
    );
  };

  effect(() => {
    const now = look.value;
    if (!now) return;
    const { queue } = now;
    const label = t(queue.paused ? "queue.resume" : "queue.pause");
    pause.setAttribute("aria-label", label);
    pause.title = label;
    pause.setAttribute("aria-pressed", String(queue.paused));
    pause.replaceChildren(icon(queue.paused ? "run" : "pause"));
    clear.disabled = queue.queued.length === 0;
    setText(heading, t("queue.waiting", { count: queue.total }));
    setText(note, queue.paused ? t("queue.paused") : queue.running.length + queue.total === 0 ? t("queue.empty") : "");
    heading.toggleAttribute("hidden", queue.total === 0);
    hint.toggleAttribute("hidden", now.waiting.length < 2);
    recentHeading.toggleAttribute("hidden", now.recent.length === 0);
    for (const part of /** @type {const} */ (["running", "waiting", "recent"])) {
      const shown = rows[part].show(now[part], pause);
      for (const [index, { id }] of now[part].slice(0, MOST_TOLD).entries()) void tell(id, shown[index]);
    }
  });
  const isOpen = () => dock.shown.right.value === "queue";
  effect(() => {
    const own = runner.run.value.job;
    watched.follow(isOpen() ? (look.value?.running ?? []).flatMap(({ id }) => (id === own ? [] : id)) : []);
  });
  effect(() => {
    const [own, others] = [runner.run.value, watched.runs.value];
    for (const [index, { id }] of (look.value?.running ?? []).entries()) showRun(running.children[index], id === own.job ? own : others.get(id));
  });
  effect(() => {
    engine.changes.value;
    if (isOpen()) soon();
  });
  return element;
}

/** The rows of a list of jobs. Those that stay are left as they are, with what has the focus or is being chosen in them. */
class Rows {
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  #list;
  #make;

  /** @param {HTMLElement} list @param {(job: JobSummary) => HTMLElement} make */
  constructor(list, make) {
    this.#list = list;
    this.#make = make;
  }

  /** @param {readonly JobSummary[]} jobs @param {HTMLElement} otherwise  takes the focus of the last row that goes */
  show(jobs, otherwise) {
    const { children } = this.#list;
    const at = [...children].findIndex((row) => row.contains(document.activeElement));
    const keyOf = (/** @type {JobSummary} */ job) => `${job.id} ${job.priority}`;
    this.#rows = new Map(jobs.map((job) => [keyOf(job), this.#rows.get(keyOf(job)) ?? this.#make(job)]));
    const wanted = [...this.#rows.values()];
    for (const row of [...children]) if (!wanted.includes(/** @type {HTMLElement} */ (row))) row.remove();
    for (const [index, row] of wanted.entries()) if (children[index] !== row) this.#list.insertBefore(row, children[index] ?? null);
    const near = wanted[Math.min(at, wanted.length - 1)];
    if (at >= 0 && !this.#list.contains(document.activeElement)) ((near?.tabIndex === 0 ? near : near?.querySelector("button")) ?? otherwise).focus();
    return wanted;
  }
}

/** @param {JobSummary} job */
const nameOf = (job) => new Date(job.created ?? 0).toLocaleTimeString(language());

/** The seed of a workflow, and its first prompt. @param {unknown} workflow @param {Catalogue} catalogue */
function aboutOf(workflow, catalogue) {
  const { nodes } = /** @type {{nodes: Readonly<Record<string, NodeData>>}} */ (workflow);
  const values = Object.values(nodes).flatMap(({ type, inputs }) =>
    (catalogue.specs.get(type)?.inputs ?? []).map(({ name, widget }) => ({ kind: widget?.kind === "Text" && !widget.multiline ? "" : widget?.kind, value: inputs[name] })),
  );
  const prompt = values.find(({ kind, value }) => kind === "Text" && typeof value === "string" && value !== "")?.value ?? "";
  const seed = values.find(({ kind, value }) => kind === "Seed" && isSeed(value))?.value;
  return [seed === undefined ? "" : t("gallery.seed", { seed: String(seed) }), prompt].filter(Boolean).join(" · ");
}

/** The priority on the list that a number comes closest to. @param {number} priority */
const nearest = (priority) => (priority > 0 ? 10 : priority < 0 ? -10 : 0);
