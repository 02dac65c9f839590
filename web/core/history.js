/** Undo and redo over a Document: every edit keeps its inverse; edits of one gesture (a drag, a burst of typing) are one step. */

/** @import {Change, Document} from "./document.js" */
/** @typedef {{redo: Change[], undo: Change[], gesture: string | null}} Step */

const DEPTH = 1000;

/** What a change overwrites, when a later change to the same thing makes it pointless. @param {Change} change */
function target(change) {
  if (change.kind === "input") return `input\0${change.id}\0${change.name}`;
  if (change.kind === "place" || change.kind === "title") return `${change.kind}\0${change.id}`;
  return null;
}

/** Only overwriting changes may be thinned out: adding or removing between them would change what they mean. @param {readonly Change[]} changes */
const onlyOverwrites = (changes) => changes.every((change) => target(change) !== null);

/** The last change to each thing, in order. @param {Change[]} changes */
function lastOfEach(changes) {
  return [...new Map(changes.map((change) => [target(change), change])).values()];
}

export class History {
  /** @type {Step[]} */
  #done = [];
  /** @type {Step[]} */
  #undone = [];
  #document;

  /** @param {Document} document */
  constructor(document) {
    this.#document = document;
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /**
   * Apply changes as one step, or as part of the last step when both carry the same gesture.
   * @param {readonly Change[]} changes
   * @param {string | null} gesture
   * @returns {Set<string>} ids of nodes that look different
   */
  commit(changes, gesture = null) {
    if (changes.length === 0) return new Set();
    const { inverse, touched } = this.#document.apply(changes);
    this.#undone = [];
    const last = this.#done.at(-1);
    if (last && gesture !== null && last.gesture === gesture) {
      last.redo.push(...changes);
      last.undo.unshift(...inverse);
      if (onlyOverwrites(last.redo)) {
        last.redo = lastOfEach(last.redo);
        last.undo = lastOfEach(last.undo);
      }
    } else {
      this.#done.push({ redo: [...changes], undo: inverse, gesture });
      if (this.#done.length > DEPTH) this.#done.shift();
    }
    return touched;
  }

  /** The gesture is over: the next edit is a step of its own. */
  seal() {
    const last = this.#done.at(-1);
    if (last) last.gesture = null;
  }

  undo() {
    return this.#shift(this.#done, this.#undone, "undo");
  }

  redo() {
    return this.#shift(this.#undone, this.#done, "redo");
  }

  /**
   * @param {Step[]} from
   * @param {Step[]} to
   * @param {"undo" | "redo"} direction
   * @returns {Set<string>}
   */
  #shift(from, to, direction) {
    const step = from.pop();
    if (!step) return new Set();
    step.gesture = null;
    const { touched } = this.#document.apply(step[direction]);
    to.push(step);
    return touched;
  }
}
