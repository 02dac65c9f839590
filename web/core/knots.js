/** The points of a curve written as a text: "0: 7, 0.5: 5, 1: 1", shares of the way and values there. */

/** @typedef {{x: number, y: number}} Knot */

/** The points of a text; null for any other text. @param {unknown} text @returns {Knot[] | null} */
export function knotsOf(text) {
  const knots = String(text).split(",").map((pair) => pair.split(":").map((part) => (part.trim() === "" ? NaN : Number(part))));
  if (!knots.every((pair) => pair.length === 2 && pair.every(Number.isFinite) && pair[0] >= 0 && pair[0] <= 1)) return null;
  return knots.map(([x, y]) => ({ x, y })).sort((a, b) => a.x - b.x);
}

/** @param {readonly Knot[]} knots */
export const textOf = (knots) => knots.map(({ x, y }) => `${Number(x.toFixed(3))}: ${Number(y.toFixed(2))}`).join(", ");
