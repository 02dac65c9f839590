/**
 * Where straight lines between the columns of a drawing cross: counted for all of them, and for those of a vertex while it
 * is moved. Kept as numbers side by side, as a drawing is tried hundreds of thousands of pairs long.
 */

/** @import {Line, Vertex} from "./layered.js" */

export class Crossings {
  /** Pairs of lines that were looked at for single vertices. */
  looks = 0;
  #lines;
  /** Of each line: where it begins, where it ends, how high it begins, and how much it falls. */
  #from;
  #to;
  #y;
  #fall;
  /** The lines that each may cross, one line's after another's, and where they begin. */
  #partners;
  #starts;

  /** @param {readonly Line[]} lines  sorted by where they begin @param {number} most  pairs to keep in view, the first ones */
  constructor(lines, most) {
    this.#lines = lines;
    this.#from = Float64Array.from(lines, ({ a }) => a.x + a.item.w);
    this.#to = Float64Array.from(lines, ({ b }) => b.x);
    this.#y = new Float64Array(lines.length);
    this.#fall = new Float64Array(lines.length);
    const pairs = pairsOf(lines, most);
    this.#starts = new Int32Array(lines.length + 1);
    for (const index of pairs) this.#starts[index + 1] += 1;
    for (let index = 0; index < lines.length; index++) this.#starts[index + 1] += this.#starts[index];
    this.#partners = new Int32Array(pairs.length);
    const next = this.#starts.slice();
    for (let at = 0; at < pairs.length; at += 2) {
      this.#partners[next[pairs[at]]++] = pairs[at + 1];
      this.#partners[next[pairs[at + 1]]++] = pairs[at];
    }
  }

  /** All vertices may be at other heights. */
  refresh() {
    for (let index = 0; index < this.#lines.length; index++) this.#aim(index);
  }

  /** Move a vertex. @param {Vertex} vertex @param {number} y */
  place(vertex, y) {
    vertex.y = y;
    for (const index of vertex.lines) this.#aim(index);
  }

  /** How many crossings there are. */
  count() {
    let count = 0;
    for (let index = 0; index < this.#lines.length; index++) count += this.#crossed(index, index);
    return count;
  }

  /** How many lines the lines of a vertex cross; not counted on where it is more than that. @param {Vertex} vertex @param {number} most */
  at(vertex, most = Infinity) {
    let count = 0;
    for (const index of vertex.lines) {
      if (count > most) break;
      count += this.#crossed(index, -1);
      this.looks += this.#starts[index + 1] - this.#starts[index];
    }
    return count;
  }

  /** The lines that pass a column: they begin left of it and end right of it. @param {number} x */
  passing(x) {
    return this.#lines.flatMap(({ a, b }, index) => (a.x < x && b.x > x ? [index] : []));
  }

  /** Where a line is at the middle of a vertex it passes. @param {number} index @param {Vertex} vertex */
  heightAt(index, { x, item }) {
    return this.#y[index] + (x + item.w / 2 - this.#from[index]) * this.#fall[index];
  }

  /** @param {number} index */
  #aim(index) {
    const { a, b, aY, bY } = this.#lines[index];
    this.#y[index] = a.y + aY;
    this.#fall[index] = (b.y + bY - this.#y[index]) / Math.max(1, this.#to[index] - this.#from[index]);
  }

  /** How many lines after another one a line crosses. @param {number} index @param {number} after */
  #crossed(index, after) {
    const from = this.#from;
    const to = this.#to;
    const y = this.#y;
    const fall = this.#fall;
    const partners = this.#partners;
    const end = this.#starts[index + 1];
    let count = 0;
    for (let at = this.#starts[index]; at < end; at++) {
      const other = partners[at];
      if (other <= after) continue;
      const left = Math.max(from[index], from[other]);
      const right = Math.min(to[index], to[other]);
      const above = y[index] + (left - from[index]) * fall[index] - (y[other] + (left - from[other]) * fall[other]);
      const under = y[index] + (right - from[index]) * fall[index] - (y[other] + (right - from[other]) * fall[other]);
      if (above * under < -1e-6) count += 1;
    }
    return count;
  }
}

/** Lines that may cross, two by two: those above the same stretch, with other beginnings. @param {readonly Line[]} lines @param {number} most */
function pairsOf(lines, most) {
  /** @type {number[]} */
  const pairs = [];
  for (const [index, { a, aY, b }] of lines.entries()) {
    for (let other = index + 1; other < lines.length && lines[other].a.x < b.x && pairs.length < 2 * most; other++) {
      if (lines[other].a !== a || lines[other].aY !== aY) pairs.push(index, other);
    }
  }
  return pairs;
}
