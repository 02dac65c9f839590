/** Arithmetic as it is typed into a number field: `1024*1.5`, `(512+64)/8`, `2^10`, `-3`, also in full-width characters, with thousands set apart or a unit. Read by hand: nothing is executed. */

/** @type {Readonly<Record<string, (a: number, b: number) => number>>} */
const OPERATIONS = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "^": (a, b) => a ** b,
};
const LEVELS = ["+-", "*/%"];
/** Thousands set apart as no list of numbers is written: "1 024", "1_000_000", "1,024". */
const THOUSANDS = /(?<![\d.,])\d{1,3}(?:([\s_'’])\d{3}(?:\1\d{3})*|(?:,\d{3})*,0\d\d(?:,\d{3})*)(?![\d,])/g;
const UNIT = /(?<=[\d)]\s*)(?:px|pixels?|像素|steps?|步)$/i;
const DEEPEST = 50;

/**
 * The value, or null for what is no arithmetic or has no finite value. Multiplication and division come before addition
 * and subtraction; `^` binds strongest and from the right.
 * @param {string} text
 * @returns {number | null}
 */
export function evaluate(text) {
  const narrow = text.replace(/[！-～]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0)).trim();
  const plain = narrow.replace(UNIT, "").replace(THOUSANDS, (number) => number.replace(/\D/g, ""));
  const tokens = plain.replaceAll("×", "*").replaceAll("÷", "/").replaceAll("−", "-").replaceAll("**", "^").match(/\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|[-+*/%^()]|\S/gi) ?? [];
  let at = 0;

  /** @param {number} level @param {number} depth @returns {number} */
  const binary = (level, depth) => {
    if (level === LEVELS.length) return unary(depth);
    let value = binary(level + 1, depth);
    while (at < tokens.length && LEVELS[level].includes(tokens[at])) value = OPERATIONS[tokens[at++]](value, binary(level + 1, depth));
    return value;
  };
  /** @param {number} depth @returns {number} */
  const unary = (depth) => {
    if (depth > DEEPEST) return NaN;
    if (tokens[at] === "-" || tokens[at] === "+") return tokens[at++] === "-" ? -unary(depth + 1) : unary(depth + 1);
    const base = single(depth);
    return tokens[at] === "^" ? (at++, base ** unary(depth + 1)) : base;
  };
  /** @param {number} depth @returns {number} */
  const single = (depth) => {
    if (tokens[at] !== "(") return Number(tokens[at++] ?? NaN);
    at += 1;
    const value = binary(0, depth + 1);
    return tokens[at++] === ")" ? value : NaN;
  };
  const value = tokens.length === 0 ? NaN : binary(0, 0);
  return at === tokens.length && Number.isFinite(value) ? value : null;
}
