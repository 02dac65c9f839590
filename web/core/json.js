/**
 * JSON of workflows. Whole numbers beyond what a number holds exactly, as seeds of 64 bits can be, become texts of their
 * digits, which the engine takes for the number.
 */

const LONG = /\d{16}/;
/** A text, or a number. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[-\d][\d.eE+-]*/gs;
const DIGITS = /^\d+$/;

/** Throws SyntaxError. @param {string} text @returns {any} */
export const parseExactly = (text) => JSON.parse(LONG.test(text) ? text.replace(TOKEN, kept) : text);

/** @param {string} token */
const kept = (token) => (DIGITS.test(token) && Number(token) > Number.MAX_SAFE_INTEGER ? `"${token}"` : token);
