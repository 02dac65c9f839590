/** Fuzzy search over node definitions: every letter of a word in order, better when together and at the start of words; words that mean the same count too. */

/** @import {NodeSpec} from "./types.js" */
/** @typedef {{spec: NodeSpec, title: string, id: string, rest: string}} Entry  lower case, but for `spec` */

/** Word starts: after a space, a separator, or where a capital follows a small letter. @param {string} text @param {number} index */
const startsWord = (text, index) =>
  index === 0 || /[\s_/.-]/.test(text[index - 1]) || (/[A-Z]/.test(text[index]) && /[a-z0-9]/.test(text[index - 1]));

/**
 * How well a query matches a text; 0 when it does not.
 * @param {string} query  lower case
 * @param {string} text
 * @param {string} lower  the text in lower case
 */
export function score(query, text, lower = text.toLowerCase()) {
  if (query === "") return 1;
  const whole = lower.indexOf(query);
  if (whole >= 0) return 100 + query.length * 4 + (startsWord(text, whole) ? 60 : 0) - text.length / 10 - whole / 10;
  let [total, at, previous] = [0, 0, -2];
  for (const letter of query) {
    if (letter === " ") continue;
    const found = lower.indexOf(letter, at);
    if (found < 0) return 0;
    total += startsWord(text, found) ? 8 : found === previous + 1 ? 5 : 1;
    previous = found;
    at = found + 1;
  }
  return Math.max(0.01, total - text.length / 20);
}

/**
 * What means the same as a word, or as one that begins with it.
 * @param {readonly (readonly string[])[]} groups  of words that mean the same
 * @param {string} word  lower case
 * @returns {readonly string[]}
 */
function meanings(groups, word) {
  const enough = /[^\x00-\x7f]/.test(word) || word.length >= 3;
  if (!enough) return [];
  return [...new Set(groups.filter((group) => group.some((each) => each.startsWith(word))).flat())].filter((each) => /^[\x00-\x7f]+$/.test(each) && each !== word);
}

/** A set of definitions to search again and again. */
export class NodeIndex {
  /** @type {readonly Entry[]} */
  #entries;
  #words;

  /** @param {Iterable<NodeSpec>} specs @param {readonly (readonly string[])[]} words  groups that mean the same */
  constructor(specs, words) {
    this.#words = words;
    this.#entries = [...specs]
      .map((spec) => ({
        spec,
        title: spec.title.toLowerCase(),
        id: spec.id.toLowerCase(),
        rest: [spec.category, ...[...spec.inputs, ...spec.outputs].map((port) => `${port.name} ${port.type}`)].join(" ").toLowerCase(),
      }))
      .sort((a, b) => a.spec.title.localeCompare(b.spec.title));
  }

  /**
   * Definitions that match every word, best first; for an empty query the recent ones, then all by title.
   * @param {string} query
   * @param {readonly string[]} recent  ids, the latest first
   * @returns {NodeSpec[]}
   */
  find(query, recent = []) {
    const words = query.trim().toLowerCase().split(/\s+/).filter(Boolean).map((word) => ({ word, same: meanings(this.#words, word) }));
    const whole = words.map(({ word }) => word).join(" ");
    /** @type {{spec: NodeSpec, points: number}[]} */
    const found = [];
    for (const entry of this.#entries) {
      let points = 0;
      for (const { word, same } of words) {
        const best = pointsOf(entry, word, same);
        points = best === 0 ? -Infinity : points + best;
      }
      if (words.length > 1) points = Math.max(points, score(whole, entry.spec.title, entry.title) * 2 || -Infinity);
      if (points === -Infinity) continue;
      const latest = recent.indexOf(entry.spec.id);
      found.push({ spec: entry.spec, points: points + (latest < 0 ? 0 : words.length === 0 ? 1000 - latest : 12) });
    }
    return found.sort((a, b) => b.points - a.points).map(({ spec }) => spec);
  }
}

/** @param {Entry} entry @param {string} word @param {readonly string[]} same */
function pointsOf({ spec, title, id, rest }, word, same) {
  const own = Math.max(score(word, spec.title, title) * 2, score(word, spec.id, id) * 1.8);
  if (own >= 100) return own;
  const near = rest.includes(word) ? 90 - rest.length / 50 : 0;
  const meant = same.some((each) => title.includes(each) || id.includes(each)) ? 96 - title.length / 10 : 0;
  return Math.max(own, near, meant);
}
