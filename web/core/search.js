/** Fuzzy search over node definitions: every letter of the query in order, better when together and at the start of words. */

/** @import {NodeSpec} from "./types.js" */

/** Word starts: after a space, a separator, or where a capital follows a small letter. @param {string} text @param {number} index */
const startsWord = (text, index) =>
  index === 0 || /[\s_/.-]/.test(text[index - 1]) || (/[A-Z]/.test(text[index]) && /[a-z0-9]/.test(text[index - 1]));

/**
 * How well a query matches a text; 0 when it does not.
 * @param {string} query  lower case
 * @param {string} text
 */
function score(query, text) {
  if (query === "") return 1;
  const lower = text.toLowerCase();
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
 * Definitions that match, best first; ties and an empty query in order of title.
 * @param {Iterable<NodeSpec>} specs
 * @param {string} query
 * @returns {NodeSpec[]}
 */
export function search(specs, query) {
  const wanted = query.trim().toLowerCase();
  return [...specs]
    .map((spec) => ({ spec, points: Math.max(score(wanted, spec.title) * 2, score(wanted, spec.id) * 1.8, score(wanted, spec.category)) }))
    .filter(({ points }) => points > 0)
    .sort((a, b) => b.points - a.points || a.spec.title.localeCompare(b.spec.title))
    .map(({ spec }) => spec);
}
