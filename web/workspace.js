/**
 * The workflows that are open, one of them on the table: names and revisions, opening, saving and closing, and what
 * outlives a reload (in the session of the window) or the browser (as drafts on the server).
 */

import * as api from "./api.js";
import { BadDocument } from "./core/document.js";
import { known, noted } from "./core/files.js";
import { parseExactly } from "./core/json.js";
import { localisedTitles } from "./core/naming.js";
import { COPY, rootOf } from "./core/run.js";
import { batch, computed, signal } from "./core/store.js";
import { t, templateTitle } from "./core/strings.js";
import * as documents from "./documents.js";
import { Drafts, titleOfDraft } from "./drafts.js";
import { learnAll } from "./language.js";

/** @import {Camera} from "./core/camera.js" */
/** @import {FileFact} from "./core/document.js" */
/** @import {Desk, Editor} from "./core/editor.js" */
/** @import {Left} from "./drafts.js" */
/** @import {Runner} from "./runner.js" */
/** @import {Settings} from "./settings.js" */
/**
 * @template T
 * @typedef {import("./core/store.js").Signal<T>} Signal
 */
/**
 * @typedef {{key: string, name: Signal<string>, dirty: Signal<boolean>, saved: {name: string, revision: string | null},
 *            desk: Desk | null, camera: Camera | null, job: string | null, draft: string | null}} Tab
 *   `saved`: what it was last opened from or saved as; `desk`: null while on the table, and before it was first shown
 * @typedef {{key: string, name: string, dirty: boolean, saved: {name: string, revision: string | null},
 *            camera: Camera | null, job: string | null, draft: string | null}} Note  of a tab, in the session
 * @typedef {"saved" | "conflict" | "taken"} SaveResult
 * @typedef {{get: () => Camera, set: (camera: Camera) => void}} Lens
 */

const SESSION = "weft.session";
const TAB = "weft.tab.";
const KEEP_DELAY_MS = 300;
const MOST_RECENT = 12;

export class Workspace {
  /** @type {Signal<readonly Tab[]>} */
  tabs = signal(/** @type {readonly Tab[]} */ ([]));
  /** The one on the table. @type {Signal<Tab | null>} */
  current = signal(/** @type {Tab | null} */ (null));
  name = computed(() => this.current.value?.name.value ?? "");
  /** Whether a workflow is on the table yet. */
  loaded = computed(() => this.current.value !== null);
  /** Whether there are edits that are in no saved workflow. */
  dirty = computed(() => this.current.value?.dirty.value ?? false);
  /** Drafts that were left behind, by a browser that was closed or killed. @type {Signal<readonly Left[]>} */
  left = signal(/** @type {readonly Left[]} */ ([]));
  /** Counts what was saved, renamed or deleted here; read it to follow the list of documents. */
  changes = signal(0);
  /** Where the view stands. @type {Lens} */
  lens = { get: () => ({ x: 0, y: 0, scale: 1 }), set: (/** @type {Camera} */ _camera) => {} };
  #drafts = new Drafts((tab) => this.#textOf(tab), (text) => this.#notify(text));
  /** Until what is being saved is: the next one is over what that leaves. @type {Promise<unknown>} */
  #saving = Promise.resolve();
  #timer = 0;
  #editor;
  #runner;
  #settings;
  #notify;

  /** @param {Editor} editor @param {Runner} runner @param {Settings} settings @param {(text: string) => void} notify */
  constructor(editor, runner, settings, notify) {
    this.#editor = editor;
    this.#runner = runner;
    this.#settings = settings;
    this.#notify = notify;
    editor.watch((touched) => {
      const tab = this.current.peek();
      if (touched === null || tab === null) return;
      tab.dirty.value = true;
      this.#drafts.changed(tab);
      this.#keepSoon();
    });
    addEventListener("pagehide", () => this.#keep());
    addEventListener("hashchange", () => void this.#follow(location.href));
  }

  /** Put back what was open, or open what the address names, or the default template. @param {Promise<void>} definitions  of nodes */
  async start(definitions) {
    if (sessionStorage.getItem(SESSION) !== null || location.hash !== "") {
      await definitions;
      this.#restore();
      await this.#follow(location.href);
    }
    if (!this.loaded.peek()) await this.openTemplate("default", definitions);
    if (!this.loaded.peek()) this.empty();
  }

  empty() {
    this.#place({ version: 1, nodes: {} }, "");
  }

  /** @param {string} name @param {Promise<void> | null} definitions  of nodes, to wait for */
  async openTemplate(name, definitions = null) {
    await this.#attempt(templateTitle(name), async () => {
      const [workflow] = await Promise.all([api.template(name), name === "default" ? null : learnAll(), definitions]);
      this.#place(localisedTitles(workflow), name === "default" ? "" : templateTitle(name));
    });
  }

  /** @param {string} name */
  async openSaved(name) {
    const open = this.tabs.peek().find((tab) => tab.saved.name === name);
    if (open) return this.show(open);
    await this.#attempt(name, async () => {
      const { workflow, revision } = await documents.read(name);
      this.#place(workflow, name, { name, revision });
      this.#remember(name);
    });
  }

  /** A draft that was left behind. @param {string} draft */
  async openDraft(draft) {
    const name = titleOfDraft(draft);
    await this.#attempt(name || t("app.untitled"), async () => {
      const { workflow, base } = await documents.draft(draft);
      const tab = this.#place(workflow, name, { name: base === null ? "" : name, revision: base });
      tab.dirty.value = true;
      await this.#drafts.adopt(tab, draft);
      this.left.value = this.left.peek().filter((each) => each.name !== draft);
      this.#keepSoon();
    });
  }

  /** @param {string} draft */
  async discardDraft(draft) {
    this.left.value = this.left.peek().filter((each) => each.name !== draft);
    await this.#drafts.discard(draft);
  }

  /** The workflow of a job, as it was sent; of a sweep that of one cell. @param {string} job @param {string} node  that made the picture which is meant */
  async openJob(job, node = "") {
    await this.#attempt(job, async () => {
      const [workflow, { outputs }] = await Promise.all([api.jobWorkflow(job), api.job(job)]);
      const cell = node.includes(COPY) ? (await import("./core/cells.js")).cellOf(workflow, node) : null;
      this.#place(cell?.workflow ?? workflow, this.name.peek());
      if (cell) this.#runner.show(job, { [rootOf(node)]: outputs[node] ?? [] });
      else this.#runner.follow(job);
    });
  }

  /** A workflow from a file: JSON, or a picture that carries one. @param {File} file */
  async openFile(file) {
    await this.#attempt(file.name, async () => {
      const { workflowIn } = await import("./carried.js");
      this.#place(await workflowIn(file), file.name.replace(/\.\w+$/, ""));
      this.#notify(t("app.opened", { name: file.name }));
    });
  }

  /** Put an open workflow on the table. @param {Tab} tab */
  show(tab) {
    if (tab === this.current.peek()) return;
    const { desk } = tab;
    this.#change(() => (desk ? this.#editor.put(desk) : this.#editor.open(parseExactly(this.#textOf(tab)))));
    tab.desk = null;
    this.current.value = tab;
    if (tab.camera) this.lens.set(tab.camera);
    if (tab.job) void this.#runner.resume(tab.job);
    this.#keepSoon();
  }

  /** Put another one on the table, by steps to the right. @param {number} steps */
  step(steps) {
    const tabs = this.tabs.peek();
    const at = tabs.findIndex((tab) => tab === this.current.peek());
    if (tabs.length > 1) this.show(tabs[(at + steps + tabs.length) % tabs.length]);
  }

  /** Close a workflow, edits and all. @param {Tab} tab */
  close(tab) {
    const rest = this.tabs.peek().filter((each) => each !== tab);
    const at = this.tabs.peek().indexOf(tab);
    if (rest.length === 0) this.empty();
    else if (tab === this.current.peek()) this.show(rest[Math.min(at, rest.length - 1)]);
    this.tabs.value = this.tabs.peek().filter((each) => each !== tab);
    sessionStorage.removeItem(TAB + tab.key);
    void this.#drafts.drop(tab);
    this.#keepSoon();
  }

  /** Call the workflow something else; saved under the name before, it stays there. @param {string} name */
  rename(name) {
    const tab = this.current.peek();
    if (tab) tab.name.value = name;
    this.#keepSoon();
  }

  /** A saved workflow was renamed: what is open of it goes by that name. @param {string} name @param {string} to */
  renamed(name, to) {
    for (const tab of this.tabs.peek().filter((each) => each.saved.name === name)) {
      tab.saved.name = to;
      tab.name.value = to;
    }
    this.#settings.recent.value = this.#settings.recent.peek().map((each) => (each === name ? to : each));
    this.changes.value += 1;
    this.#keepSoon();
  }

  /**
   * Throws ApiError where the server refuses.
   * @param {string} name
   * @param {boolean} overwrite  whatever was saved there in the meantime
   * @param {string} label  a name for this revision
   * @returns {Promise<SaveResult>}
   */
  save(name, overwrite = false, label = "") {
    const tab = /** @type {Tab} */ (this.current.peek());
    const saved = this.#saving.then(() => this.#save(tab, name, overwrite, label));
    this.#saving = saved.catch(() => {});
    return saved;
  }

  /** @param {Tab} tab @param {string} name @param {boolean} overwrite @param {string} label @returns {Promise<SaveResult>} */
  async #save(tab, name, overwrite, label) {
    const known = name === tab.saved.name ? tab.saved.revision : null;
    const { version } = this.#editor;
    const at = version.peek();
    try {
      tab.saved = { name, revision: await documents.save(name, this.#textOf(tab), overwrite ? "*" : known, { label, draft: this.#drafts.revisionOf(tab) }) };
    } catch (error) {
      if (!(error instanceof api.ApiError && [409, 412, 428].includes(error.status))) throw error;
      return known === null ? "taken" : "conflict";
    }
    batch(() => {
      tab.name.value = name;
      tab.dirty.value = tab === this.current.peek() && version.peek() !== at;
      this.changes.value += 1;
    });
    void this.#drafts.drop(tab, name);
    this.#remember(name);
    this.#keepSoon();
    this.#notify(t("app.saved", { name }));
    return "saved";
  }

  /** Make the workflow on the table another one, as an edit that can be undone. @param {unknown} json */
  async replace(json) {
    const { become } = await import("./core/become.js");
    this.#editor.edit(become(this.#editor.document, json));
  }

  /** The address under which this page opens a saved workflow. @param {string} name */
  link(name) {
    return `${location.origin}/#workflow=${encodeURIComponent(name)}`;
  }

  /** Open what such an address names; false: it is none of ours. @param {string} text */
  openLink(text) {
    if (!URL.canParse(text) || new URL(text).origin !== location.origin || wantedBy(text) === null) return false;
    void this.#follow(text);
    return true;
  }

  /** @param {unknown} json @param {string} name @param {{name: string, revision: string | null}} saved @returns {Tab} */
  #place(json, name, saved = { name: "", revision: null }) {
    const before = this.current.peek();
    const untouched = before !== null && !before.dirty.peek() && before.saved.name === "";
    this.#change(() => this.#editor.open(json));
    /** @type {Tab} */
    const tab = { key: crypto.randomUUID().slice(0, 8), name: signal(name), dirty: signal(false), saved, desk: null, camera: null, job: null, draft: null };
    batch(() => {
      this.tabs.value = untouched ? this.tabs.peek().map((each) => (each === before ? tab : each)) : [...this.tabs.peek(), tab];
      this.current.value = tab;
    });
    if (untouched) sessionStorage.removeItem(TAB + before.key);
    this.#keepSoon();
    return tab;
  }

  /** Put another workflow on the table; when it cannot be, what was there stays. @param {() => void} put */
  #change(put) {
    const before = this.current.peek();
    this.#leave();
    try {
      put();
    } catch (error) {
      if (before) before.desk = null;
      throw error;
    }
    this.#runner.leave();
  }

  /** Take what is on the table off it, to be put back as it is. */
  #leave() {
    const tab = this.current.peek();
    if (!tab) return;
    this.#keep();
    tab.camera = this.lens.get();
    tab.job = this.#runner.run.peek().job;
    tab.desk = this.#editor.desk();
  }

  /** @param {Tab} tab */
  #textOf(tab) {
    if (tab === this.current.peek()) return JSON.stringify(noted(this.#editor.document));
    return tab.desk ? JSON.stringify(noted(tab.desk.document)) : (sessionStorage.getItem(TAB + tab.key) ?? "");
  }

  /** @param {string} name @param {() => Promise<unknown>} open */
  async #attempt(name, open) {
    try {
      await open();
    } catch (error) {
      if (!(error instanceof BadDocument || error instanceof api.ApiError || error instanceof SyntaxError)) throw error;
      this.#notify(t("app.readFailed", { name, why: error.message }));
    }
  }

  /** @param {string} name */
  #remember(name) {
    const { recent } = this.#settings;
    recent.value = [name, ...recent.peek().filter((each) => each !== name)].slice(0, MOST_RECENT);
  }

  /** Open what an address names, and forget it. @param {string} address */
  async #follow(address) {
    const wanted = wantedBy(address);
    if (wanted === null) return;
    history.replaceState(null, "", location.pathname + location.search);
    await ("workflow" in wanted ? this.openSaved(wanted.workflow) : this.openTemplate(wanted.template));
  }

  /** Look for drafts that were left behind. */
  async look() {
    try {
      this.left.value = await this.#drafts.left(new Set(this.tabs.peek().map((tab) => tab.draft ?? "")));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
    }
  }

  #keepSoon() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#keep(), KEEP_DELAY_MS);
  }

  /** Keep what is open in the session of the window. */
  #keep() {
    const current = this.current.peek();
    if (!current) return;
    const job = this.#runner.run.peek().job;
    const tabs = this.tabs.peek().map((tab) => ({
      ...{ key: tab.key, name: tab.name.peek(), dirty: tab.dirty.peek(), saved: tab.saved, draft: tab.draft },
      ...(tab === current ? { camera: this.lens.get(), job } : { camera: tab.camera, job: tab.job }),
    }));
    try {
      if (!current.desk) sessionStorage.setItem(TAB + current.key, JSON.stringify(this.#editor.document));
      sessionStorage.setItem(SESSION, JSON.stringify({ current: current.key, tabs, files: [...known] }));
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.#notify(t("app.draftNotKept"));
    }
  }

  /** Put back what the session has. */
  #restore() {
    const text = sessionStorage.getItem(SESSION);
    if (text === null) return;
    try {
      /** @type {{current: string, tabs: Note[], files?: [string, FileFact][]}} */
      const { current, tabs, files = [] } = JSON.parse(text);
      for (const [name, fact] of files) known.set(name, fact);
      this.tabs.value = tabs.map((note) => ({ ...note, name: signal(note.name), dirty: signal(note.dirty), desk: null }));
      for (const tab of this.tabs.peek()) if (tab.draft !== null) void this.#drafts.adopt(tab, tab.draft);
      const shown = this.tabs.peek().find((tab) => tab.key === current) ?? this.tabs.peek()[0];
      if (shown) this.show(shown);
    } catch (error) {
      if (!(error instanceof BadDocument || error instanceof SyntaxError || error instanceof TypeError)) throw error;
      this.tabs.value = [];
      this.#notify(t("app.draftLost", { why: error.message }));
    }
  }
}

/** What an address names after "#"; null: nothing. @param {string} address @returns {{workflow: string} | {template: string} | null} */
function wantedBy(address) {
  const named = new URLSearchParams(new URL(address).hash.slice(1));
  const [workflow, template] = [named.get("workflow"), named.get("template")];
  return workflow !== null ? { workflow } : template !== null ? { template } : null;
}
