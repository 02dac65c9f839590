/** Undo and redo over a Document: a line of steps, each a Patch; edits of one gesture (a drag, a burst of typing) are one step. */

/** @import {Change, Document, Patch} from "./document.js" */
/** @typedef {{patch: Patch, gesture: string | null, at: number, name: string}} Step  `at` in ms since the epoch; `name` is a person's, or "" */

const DEPTH = 1000;

export class History {
  /** Steps done, then steps undone. @type {Step[]} */
  #steps = [];
  /** How many of them are done. */
  #done = 0;
  #document;

  /** @param {Document} document */
  constructor(document) {
    this.#document = document;
  }

  get canUndo() {
    return this.#done > 0;
  }

  get canRedo() {
    return this.#done < this.#steps.length;
  }

  /** @returns {readonly Step[]} */
  get steps() {
    return this.#steps;
  }

  /** How many steps are done; the rest are undone. */
  get done() {
    return this.#done;
  }

  /**
   * Apply changes as one step, or as part of the last step when both carry the same gesture.
   * @param {readonly Change[]} changes
   * @param {string | null} gesture
   * @returns {Patch} what these changes did
   */
  commit(changes, gesture = null) {
    const patch = this.#document.apply(changes);
    if (patch.size === 0) return patch;
    this.#steps.length = this.#done;
    const last = this.#steps.at(-1);
    if (last && gesture !== null && last.gesture === gesture) merge(last.patch, patch);
    else {
      this.#steps.push({ patch, gesture, at: Date.now(), name: "" });
      if (this.#steps.length > DEPTH) this.#steps.shift();
    }
    this.#done = this.#steps.length;
    return patch;
  }

  /** The gesture is over: the next edit is a step of its own. One that went back to where it began is none. @returns {boolean} whether it was none */
  seal() {
    const last = this.#steps[this.#done - 1];
    if (!last || last.gesture === null) return false;
    last.gesture = null;
    if (last.name !== "" || [...last.patch.values()].some(({ before, after }) => JSON.stringify(before) !== JSON.stringify(after))) return false;
    this.#steps.splice(--this.#done, 1);
    return true;
  }

  /** Go to where that many steps are done. @param {number} count @returns {Patch} what is different now */
  jump(count) {
    this.seal();
    /** @type {Patch} */
    const all = new Map();
    while (this.#done > Math.max(0, count)) {
      const { patch } = this.#steps[--this.#done];
      this.#document.revert(patch);
      merge(all, patch);
    }
    while (this.#done < Math.min(count, this.#steps.length)) {
      const { patch } = this.#steps[this.#done++];
      this.#document.replay(patch);
      merge(all, patch);
    }
    return all;
  }

  undo() {
    this.seal();
    return this.jump(this.#done - 1);
  }

  redo() {
    return this.jump(this.#done + 1);
  }

  /** Give the state after a step a name, or take it away with "". @param {number} index @param {string} name */
  name(index, name) {
    const step = this.#steps[index];
    if (step) step.name = name;
  }
}

/** Add what a later patch did to an earlier one. @param {Patch} earlier @param {Patch} later */
function merge(earlier, later) {
  for (const [key, write] of later) {
    const known = earlier.get(key);
    if (known) known.after = write.after;
    else earlier.set(key, { ...write });
  }
}
