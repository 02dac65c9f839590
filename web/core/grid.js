/** Spatial index: a uniform grid of cells, each listing the items whose box touches it. Finding is linear in what is found. */

/** @import {Box} from "./types.js" */

const CELL = 512;
/** An item over more cells than this goes on a list that every query reads. */
const LARGE = 256;
/** Rows a column of cells has room for in a cell's number. */
const ROWS = 2 ** 26;

/** @param {Box} a @param {Box} b */
export const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

/** The smallest box around boxes; null when there are none. @param {Iterable<Box>} boxes @returns {Box | null} */
export function union(boxes) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const box of boxes) {
    left = Math.min(left, box.x);
    top = Math.min(top, box.y);
    right = Math.max(right, box.x + box.w);
    bottom = Math.max(bottom, box.y + box.h);
  }
  return left === Infinity ? null : { x: left, y: top, w: right - left, h: bottom - top };
}

export class Grid {
  /** @type {Map<string, Box>} */
  #boxes = new Map();
  /** @type {Map<number, Set<string>>} */
  #cells = new Map();
  /** @type {Set<string>} */
  #large = new Set();

  get size() {
    return this.#boxes.size;
  }

  /** @param {string} id */
  box(id) {
    return this.#boxes.get(id);
  }

  boxes() {
    return this.#boxes.values();
  }

  /** Insert or move. @param {string} id @param {Box} box */
  set(id, box) {
    this.delete(id);
    this.#boxes.set(id, box);
    const cells = cellsOf(box);
    if (!cells) this.#large.add(id);
    else for (const cell of cells) (this.#cells.get(cell) ?? this.#newCell(cell)).add(id);
  }

  /** @param {string} id */
  delete(id) {
    const box = this.#boxes.get(id);
    if (!box) return;
    this.#boxes.delete(id);
    this.#large.delete(id);
    for (const cell of cellsOf(box) ?? []) {
      const members = this.#cells.get(cell);
      members?.delete(id);
      if (members?.size === 0) this.#cells.delete(cell);
    }
  }

  clear() {
    this.#boxes.clear();
    this.#cells.clear();
    this.#large.clear();
  }

  /** Ids of the items whose box overlaps. @param {Box} area @returns {Set<string>} */
  query(area) {
    const cells = cellsOf(area);
    /** @type {Set<string>} */
    const found = new Set();
    if (!cells || cells.length > this.#cells.size) {
      for (const [id, box] of this.#boxes) if (overlap(box, area)) found.add(id);
      return found;
    }
    for (const cell of cells) {
      for (const id of this.#cells.get(cell) ?? []) if (overlap(/** @type {Box} */ (this.#boxes.get(id)), area)) found.add(id);
    }
    for (const id of this.#large) if (overlap(/** @type {Box} */ (this.#boxes.get(id)), area)) found.add(id);
    return found;
  }

  /** @param {number} cell */
  #newCell(cell) {
    /** @type {Set<string>} */
    const members = new Set();
    this.#cells.set(cell, members);
    return members;
  }
}

/** Numbers of the cells a box touches, or null when there are too many. @param {Box} box @returns {number[] | null} */
function cellsOf(box) {
  const [left, right] = [Math.floor(box.x / CELL), Math.floor((box.x + box.w) / CELL)];
  const [top, bottom] = [Math.floor(box.y / CELL), Math.floor((box.y + box.h) / CELL)];
  if ((right - left + 1) * (bottom - top + 1) > LARGE) return null;
  const cells = [];
  for (let row = top; row <= bottom; row++) for (let column = left; column <= right; column++) cells.push(column * ROWS + row);
  return cells;
}
