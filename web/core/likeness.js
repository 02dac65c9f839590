/** How like two words are. */

/** The share of letter pairs two words have in common: 0 none, 1 all. @param {string} a @param {string} b */
export function likeness(a, b) {
  const [own, other] = [pairsOf(a), pairsOf(b)];
  return (2 * [...own].filter((pair) => other.has(pair)).length) / (own.size + other.size || 1);
}

/** @param {string} text */
const pairsOf = (text) => new Set(Array.from({ length: Math.max(0, text.length - 1) }, (_, i) => text.toLowerCase().slice(i, i + 2)));
