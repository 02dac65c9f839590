/**
 * When what the server did not answer is tried again: rarer and rarer, at once when there is reason to hope. One thing is
 * tried at a time, as every try in vain is a line in the browser's console; once one succeeds, all others follow.
 */

import { signal } from "./core/store.js";

/** @typedef {() => boolean} Attempt  whether there still was something to try */

const [FIRST_MS, LONGEST_MS] = [500, 60_000];

export class Retry {
  /** When the next try is, in ms since the epoch; null: nothing waits, or a try is under way. */
  next = signal(/** @type {number | null} */ (null));
  /** By whose it is, in the order of their turns. @type {Map<object, Attempt>} */
  #waiting = new Map();
  #tries = 0;
  #timer = 0;

  constructor() {
    const now = () => this.now();
    addEventListener("online", now);
    addEventListener("focus", now);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && now());
  }

  /** Have something tried again; it waits anew when that is in vain. @param {object} whose @param {Attempt} attempt */
  wait(whose, attempt) {
    this.#waiting.set(whose, attempt);
    if (this.next.peek() !== null) return;
    const delay = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#tries);
    this.#tries += 1;
    this.next.value = Date.now() + delay;
    this.#timer = window.setTimeout(() => this.now(), delay);
  }

  /** Try now, if anything waits. */
  now() {
    this.#stop();
    for (const [whose, attempt] of this.#waiting) {
      this.#waiting.delete(whose);
      if (attempt()) return;
    }
  }

  /** The server answers. */
  succeeded() {
    this.#tries = 0;
    if (this.#waiting.size === 0) return;
    this.#stop();
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const attempt of all) attempt();
  }

  #stop() {
    clearTimeout(this.#timer);
    this.next.value = null;
  }
}
