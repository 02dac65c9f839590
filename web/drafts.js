/**
 * Drafts on the server: what is not saved is kept there within a second, so that it outlives the browser. Each draft
 * belongs to one window, which holds a lock of its name; one that nobody holds was left behind, and is offered.
 */

import { ApiError, retry } from "./api.js";
import * as documents from "./documents.js";

/** @import {Tab} from "./workspace.js" */
/** @typedef {{name: string, title: string, saved: number}} Left  `title` is "" for a workflow without a name */

const DELAY_MS = 1000;
/** A page that was reloaded lets go of its locks within this. */
const GRACE_MS = 500;
/** More than this a browser does not send while a page goes away. */
const MOST_LEAVING = 60_000;
const UNTITLED = /^untitled-[0-9a-f]{8}$/;
/** A second window on one document has a draft of its own. */
const OTHER = / ~[2-9]$/;

/** @param {string} name */
const lockOf = (name) => `weft-draft:${name}`;

/** A name for the draft of a workflow that has none yet. */
export const untitled = () => `untitled-${crypto.randomUUID().slice(0, 8)}`;

/** The name of the workflow a draft is of. @param {string} draft */
export const titleOfDraft = (draft) => (UNTITLED.test(draft) ? "" : draft.replace(OTHER, ""));

export class Drafts {
  /** @type {Map<Tab, number>} */
  #waiting = new Map();
  /** @type {Map<string, () => void>} */
  #held = new Map();
  /** Revisions of the drafts as they were last written, by name. @type {Map<string, string>} */
  #written = new Map();
  /** Whether it was told that drafts are not kept. */
  #told = false;
  #textOf;
  #notify;

  /** @param {(tab: Tab) => string} textOf @param {(text: string) => void} notify */
  constructor(textOf, notify) {
    this.#textOf = textOf;
    this.#notify = notify;
    addEventListener("visibilitychange", () => document.hidden && this.flush(false));
    addEventListener("pagehide", () => this.flush(true));
  }

  /** A workflow was edited: keep it soon. @param {Tab} tab */
  changed(tab) {
    if (!this.#waiting.has(tab)) this.#waiting.set(tab, window.setTimeout(() => void this.#write(tab, false), DELAY_MS));
  }

  /** Keep now what waits. @param {boolean} leaving */
  flush(leaving) {
    for (const tab of [...this.#waiting.keys()]) void this.#write(tab, leaving);
  }

  /** The revision of a workflow's draft on the server. @param {Tab} tab */
  revisionOf(tab) {
    return this.#written.get(tab.draft ?? "");
  }

  /**
   * The draft of a workflow is no longer wanted: it was saved, which lets go of a draft of that name, or thrown away.
   * @param {Tab} tab
   * @param {string | null} name  it was saved under
   */
  async drop(tab, name = null) {
    clearTimeout(this.#waiting.get(tab));
    this.#waiting.delete(tab);
    const { draft } = tab;
    if (draft === null) return;
    tab.draft = null;
    if (draft === name) this.#release(draft);
    else await this.discard(draft);
  }

  /** Take over a draft that was left behind, unless another window works on it: then what is edited here becomes one of its own. @param {Tab} tab @param {string} name */
  async adopt(tab, name) {
    tab.draft = name;
    if (!(await this.#claim(name, AbortSignal.timeout(GRACE_MS))) && tab.draft === name) tab.draft = null;
  }

  /** @param {string} name */
  async discard(name) {
    await documents.dropDraft(name).catch(ignoreGone);
    this.#release(name);
  }

  /** Drafts that no window holds. @param {ReadonlySet<string>} own  names that are this window's @returns {Promise<Left[]>} */
  async left(own) {
    const [{ drafts }, locks] = await Promise.all([documents.list(), navigator.locks?.query()]);
    const held = new Set(locks?.held?.map((lock) => lock.name));
    return drafts.filter(({ name }) => !own.has(name) && !held.has(lockOf(name))).map(({ name, saved }) => ({ name, title: titleOfDraft(name), saved }));
  }

  /** @param {Tab} tab @param {boolean} leaving */
  async #write(tab, leaving) {
    clearTimeout(this.#waiting.get(tab));
    this.#waiting.delete(tab);
    const text = this.#textOf(tab);
    if (leaving && text.length > MOST_LEAVING) return;
    try {
      tab.draft ??= leaving ? (tab.saved.name || untitled()) : await this.#name(tab);
      const { draft } = tab;
      this.#written.set(draft, await documents.writeDraft(draft, text, tab.saved.revision, leaving));
      this.#told = false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 0) this.#wait(tab);
      else if (!this.#told) this.#notify(error.message);
      this.#told ||= error.status !== 0;
    }
  }

  /** Keep it when the server is there again. @param {Tab} tab */
  #wait(tab) {
    this.#waiting.set(tab, 0);
    retry.wait(tab, () => {
      if (!this.#waiting.has(tab)) return false;
      void this.#write(tab, false);
      return true;
    });
  }

  /** A name for the draft that is held by no other window. @param {Tab} tab */
  async #name(tab) {
    const name = tab.saved.name || untitled();
    for (const each of [name, ...[2, 3, 4, 5, 6, 7, 8].map((number) => `${name} ~${number}`)]) if (await this.#claim(each)) return each;
    return `${name} ~9`;
  }

  /** @param {string} name */
  #release(name) {
    this.#held.get(name)?.();
    this.#held.delete(name);
    this.#written.delete(name);
  }

  /** Hold the lock of a draft for as long as this window lives, or lets it go. @param {string} name @param {AbortSignal | undefined} signal  until when to wait for it @returns {Promise<boolean>} */
  #claim(name, signal = undefined) {
    if (!navigator.locks || this.#held.has(name)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const hold = (/** @type {Lock | null} */ lock) => {
        resolve(lock !== null);
        return lock && new Promise((release) => this.#held.set(name, () => release(null)));
      };
      navigator.locks.request(lockOf(name), signal ? { signal } : { ifAvailable: true }, hold).catch(() => resolve(false));
    });
  }
}

/** @param {unknown} error */
function ignoreGone(error) {
  if (!(error instanceof ApiError)) throw error;
}
