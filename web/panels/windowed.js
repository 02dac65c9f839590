/** A list of squares, row by row, of which there may be very many: only those near the view have elements. One of them is a stop of Tab; arrows go from one to the next. */

import { h } from "../dom.js";

/** How far beyond the window squares have elements, in heights of it. */
const AHEAD = 0.5;

/** @template T */
export class Windowed {
  element = h("ul", { class: "windowed" });
  /** @type {readonly T[]} */
  #items = [];
  /** More may follow. */
  #open = false;
  /** From which place to which is near the view. @type {readonly number[]} */
  #near = [0, 0];
  /** @type {Map<T, HTMLElement>} */
  #rows = new Map();
  #make;
  #atEnd;
  #drawing = 0;

  /**
   * @param {string} label
   * @param {(item: T) => HTMLElement} make  what can be pressed, in its square
   * @param {() => void} atEnd  the last one is near the view, and more may follow
   */
  constructor(label, make, atEnd) {
    this.element.setAttribute("aria-label", label);
    this.#make = make;
    this.#atEnd = atEnd;
    this.element.addEventListener("keydown", (event) => this.#walk(event));
    this.element.addEventListener("focusin", () => this.#stop());
    document.addEventListener("scroll", () => this.#soon(), { capture: true, passive: true });
    new ResizeObserver(() => this.#soon()).observe(this.element);
  }

  /** What there is now; squares of items that stay are kept as they are. @param {readonly T[]} items @param {boolean} open  more may follow */
  show(items, open) {
    [this.#items, this.#open] = [items, open];
    this.#draw();
  }

  /** What is to be pressed in the squares that are there. @returns {Iterable<[T, HTMLElement]>} */
  *shown() {
    for (const [item, row] of this.#rows) yield [item, inside(row)];
  }

  /** Have an item in view, with the focus. @param {T | undefined} item @returns {boolean} whether it is there */
  focus(item) {
    if (item === undefined || !this.#items.includes(item)) return false;
    this.#keep(item);
    const row = /** @type {HTMLElement} */ (this.#rows.get(item));
    row.scrollIntoView({ block: "nearest" });
    inside(row).focus({ preventScroll: true });
    this.#draw();
    return true;
  }

  #soon() {
    this.#drawing ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    const { element } = this;
    if (element.clientWidth === 0) return;
    const [columns, side] = this.#columns();
    const count = Math.ceil(this.#items.length / columns);
    element.style.gridTemplateRows = count > 0 ? `repeat(${count}, ${side})` : "";
    const { top, height } = element.getBoundingClientRect();
    const rowAt = (/** @type {number} */ y) => (count === 0 ? 0 : ((y - top) * count) / height);
    this.#near = [rowAt(-AHEAD * innerHeight), rowAt((1 + AHEAD) * innerHeight)].map((row) => Math.max(0, Math.floor(row) * columns));
    this.#keep([...this.#rows].find(([, row]) => row.contains(document.activeElement))?.[0]);
    if (this.#open && this.#near[1] >= this.#items.length) this.#atEnd();
  }

  /** Have elements for what is near the view alone, and for one more. @param {T | undefined} more */
  #keep(more) {
    const [first, end] = this.#near;
    const wanted = new Map(this.#items.slice(first, end).map((item, index) => [item, first + index]));
    const at = more === undefined ? -1 : this.#items.indexOf(more);
    if (more !== undefined && at >= 0) wanted.set(more, at);
    for (const [item, row] of this.#rows) {
      if (wanted.has(item)) continue;
      row.remove();
      this.#rows.delete(item);
    }
    const { children } = this.element;
    const [columns] = this.#columns();
    for (const [place, [item, at]] of [...wanted].sort(([, a], [, b]) => a - b).entries()) {
      const row = this.#rowOf(item, at, columns);
      if (children[place] !== row) this.element.insertBefore(row, children[place] ?? null);
    }
    this.#stop();
  }

  /** @param {T} item @param {number} index @param {number} columns */
  #rowOf(item, index, columns) {
    const row = this.#rows.get(item) ?? h("li", {}, this.#make(item));
    this.#rows.set(item, row);
    row.style.gridArea = `${Math.floor(index / columns) + 1} / ${(index % columns) + 1}`;
    row.setAttribute("aria-posinset", String(index + 1));
    row.setAttribute("aria-setsize", String(this.#open ? -1 : this.#items.length));
    row.dataset.at = String(index);
    return row;
  }

  /** How many stand side by side, and how wide each is. @returns {[number, string]} */
  #columns() {
    const tracks = getComputedStyle(this.element).gridTemplateColumns.split(" ");
    return [tracks.length, tracks[0]];
  }

  /** Tab stops at what has the focus, else at the first that is in view. */
  #stop() {
    const rows = [.../** @type {HTMLCollectionOf<HTMLElement>} */ (this.element.children)];
    const stop = rows.find((row) => row.contains(document.activeElement)) ?? rows.find((row) => row.getBoundingClientRect().top >= 0) ?? rows[0];
    for (const row of rows) inside(row).tabIndex = row === stop ? 0 : -1;
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const at = Number(/** @type {HTMLElement} */ (event.target).closest("li")?.dataset.at);
    const [columns] = this.#columns();
    const last = this.#items.length - 1;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: Math.min(at + columns, last), ArrowUp: at - columns, Home: 0, End: last }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.focus(this.#items[to]);
  }
}

/** @param {HTMLElement} row */
const inside = (row) => /** @type {HTMLElement} */ (row.firstElementChild);
