/** Which workflow is on the table: its name and revision, opening and saving, and the draft that survives a reload. */

import * as api from "./api.js";
import { BadDocument } from "./core/document.js";
import { readText } from "./core/png.js";
import { batch, signal } from "./core/store.js";
import { t, templateTitle } from "./core/strings.js";

/** @import {Editor} from "./core/editor.js" */
/** @import {Runner} from "./runner.js" */
/** @typedef {{document: unknown, name: string, savedName: string, revision: string | null, dirty: boolean, job: string | null}} Draft */
/** @typedef {"saved" | "conflict" | "taken" | "failed"} SaveResult */

const DRAFT = "weft.draft";
const DRAFT_DELAY_MS = 300;
const PNG_KEYWORD = "workflow";

export class Workspace {
  name = signal("");
  /** Whether a workflow is on the table yet. */
  loaded = signal(false);
  /** Whether there are edits that are in no saved workflow. */
  dirty = signal(false);
  /** What the workflow was last opened from or saved as. @type {{name: string, revision: string | null}} */
  #saved = { name: "", revision: null };
  #timer = 0;
  #editor;
  #runner;
  #notify;

  /** @param {Editor} editor @param {Runner} runner @param {(text: string) => void} notify */
  constructor(editor, runner, notify) {
    this.#editor = editor;
    this.#runner = runner;
    this.#notify = notify;
    editor.watch((touched) => {
      if (touched !== null) this.dirty.value = true;
      this.#keepSoon();
    });
    addEventListener("pagehide", () => this.#keep());
  }

  /** Put the draft back, or the default template when there is none. */
  async start() {
    if (this.#restoreDraft()) return;
    await this.openTemplate("default");
    if (!this.loaded.value) this.empty();
  }

  /** @returns {boolean} whether there was one */
  #restoreDraft() {
    const text = localStorage.getItem(DRAFT);
    if (text === null) return false;
    try {
      /** @type {Draft} */
      const draft = JSON.parse(text);
      this.show(draft.document, draft.savedName, draft.revision, draft.dirty);
      this.name.value = draft.name;
      if (draft.job) void this.#runner.resume(draft.job);
    } catch (error) {
      if (!(error instanceof BadDocument || error instanceof SyntaxError)) throw error;
      this.#notify(t("app.draftLost", { why: error.message }));
      return false;
    }
    return true;
  }

  /** @param {unknown} document @param {string} name @param {string | null} revision */
  show(document, name, revision = null, dirty = false) {
    this.#runner.leave();
    this.#editor.open(document);
    this.#saved = { name, revision };
    batch(() => {
      this.name.value = name;
      this.dirty.value = dirty;
      this.loaded.value = true;
    });
    this.#keepSoon();
  }

  empty() {
    this.show({ version: 1, nodes: {} }, "");
  }

  /** @param {string} name */
  async openTemplate(name) {
    await this.#attempt(name, async () => this.show(await api.template(name), name === "default" ? "" : templateTitle(name)));
  }

  /** @param {string} name */
  async openSaved(name) {
    await this.#attempt(name, async () => {
      const { workflow, revision } = await api.workflow(name);
      this.show(workflow, name, revision);
    });
  }

  /** The workflow of a job, as it was sent. @param {string} job */
  async openJob(job) {
    await this.#attempt(job, async () => {
      this.show(await api.jobWorkflow(job), this.name.peek());
      this.#runner.follow(job);
    });
  }

  /** A workflow from a file: JSON, or a picture that carries one. @param {File} file */
  async openFile(file) {
    await this.#attempt(file.name, async () => {
      const document = await workflowIn(file);
      this.show(document, file.name.replace(/\.\w+$/, ""));
      this.#notify(t("app.opened", { name: file.name }));
    });
  }

  /** @param {string} name @param {boolean} overwrite  whatever was saved there in the meantime @returns {Promise<SaveResult>} */
  async save(name, overwrite = false) {
    const known = name === this.#saved.name ? this.#saved.revision : null;
    try {
      const revision = overwrite ? (await api.workflow(name)).revision : known;
      this.#saved = { name, revision: await api.saveWorkflow(name, this.#editor.document.toJSON(), revision) };
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      if ([409, 412, 428].includes(error.status)) return known === null ? "taken" : "conflict";
      this.#notify(error.message);
      return "failed";
    }
    batch(() => {
      this.name.value = name;
      this.dirty.value = false;
    });
    this.#keepSoon();
    this.#notify(t("app.saved", { name }));
    return "saved";
  }

  /** The workflow as a JSON file, handed to the browser. */
  download() {
    const text = JSON.stringify(this.#editor.document, null, 2);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `${this.name.peek() || t("app.untitled")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  /** @param {string} name @param {() => Promise<void>} open */
  async #attempt(name, open) {
    try {
      await open();
    } catch (error) {
      if (!(error instanceof BadDocument || error instanceof api.ApiError || error instanceof SyntaxError)) throw error;
      this.#notify(t("app.readFailed", { name, why: error.message }));
    }
  }

  #keepSoon() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#keep(), DRAFT_DELAY_MS);
  }

  #keep() {
    const { job } = this.#runner.run.peek();
    const draft = { document: this.#editor.document, name: this.name.peek(), savedName: this.#saved.name, revision: this.#saved.revision, dirty: this.dirty.peek(), job };
    try {
      localStorage.setItem(DRAFT, JSON.stringify(draft));
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      this.#notify(t("app.draftNotKept"));
    }
  }
}

/** The workflow in a file. Throws BadDocument when it holds none. @param {File} file @returns {Promise<unknown>} */
async function workflowIn(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const texts = await readText(bytes);
  if (texts === null) {
    if (file.type.startsWith("image/")) throw new BadDocument(t("app.notUsable", { name: file.name }));
    return JSON.parse(new TextDecoder().decode(bytes));
  }
  const text = texts.get(PNG_KEYWORD);
  if (text === undefined) throw new BadDocument(t("app.noWorkflow", { name: file.name }));
  return JSON.parse(text);
}
