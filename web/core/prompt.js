/** Editing prompts: the weight of what is marked or of the word at the caret, and names that are being typed. */

/** @typedef {{text: string, start: number, end: number}} Marked  a text with what is marked in it */

const STEP = 0.1;
const WEIGHTED = /^\((.*):(-?\d+(?:\.\d+)?)\)$/s;
const WORD_END = /[\s,.()[\]{}<>|，。、；：！？（）“”《》【】]/;
const WEIGHT_END = /^:-?\d+(?:\.\d+)?\)/;

/** Whether a word ends with a character; a parenthesis after a backslash is a letter. @param {string} text @param {number} at */
const endsAt = (text, at) => WORD_END.test(text[at]) && text[at - 1] !== "\\";

/** @param {string} text @param {number} start @param {number} end @returns {[number, number]} the word around a caret */
function wordAt(text, start, end) {
  if (start !== end) return [start, end];
  let [from, to] = [start, end];
  while (from > 0 && !endsAt(text, from - 1)) from -= 1;
  while (to < text.length && !endsAt(text, to) && !WEIGHT_END.test(text.slice(to, to + 12))) to += 1;
  return [from, to];
}

/** Whether every parenthesis that closes was opened before. @param {string} text */
function isClosed(text) {
  let depth = 0;
  for (const [mark] of text.matchAll(/\\.|[()]/gs)) if ((depth += mark === "(" ? 1 : mark === ")" ? -1 : 0) < 0) return false;
  return true;
}

/** The parentheses with a weight that a stretch fills or lies in alone. @param {string} text @param {number} from @param {number} to @returns {[number, number] | null} */
function aroundOf(text, from, to) {
  const inner = WEIGHTED.exec(text.slice(from, to))?.[1];
  if (inner !== undefined && isClosed(inner)) return [from, to];
  if (text[from - 1] !== "(" || text[from - 2] === "\\") return null;
  const close = /^(:-?\d+(?:\.\d+)?)?\)/.exec(text.slice(to));
  return close ? [from - 1, to + close[0].length] : null;
}

const NUMBER = /:(-?\d*\.?\d+)(?=[:>)\]])/g;

/**
 * The number that is meant at the caret: of `<lora:name:0.8>` anywhere in it, of `(two words:1.1)` and `[a:b:0.5]` on the
 * number. "": in a tag without one.
 * @param {Marked} marked
 * @returns {{from: number, number: string} | null}
 */
function numberAt({ text, start, end }) {
  const tag = [...text.matchAll(/<\w+:[^<>:]*([^<>]*)>/g)].find(({ index, 0: { length } }) => index < start && end < index + length);
  const [from, to] = tag ? [tag.index + tag[0].length - 1 - tag[1].length, tag.index + tag[0].length] : [0, text.length];
  const numbers = [...text.slice(from, to).matchAll(NUMBER)].map(({ index, 1: number }) => ({ from: from + index + 1, number }));
  const here = numbers.find((each) => start >= each.from && end <= each.from + each.number.length);
  return here ?? (tag ? (numbers[0] ?? { from, number: "" }) : null);
}

/** A number a step further: a tenth; in square brackets, where whole ones count steps, a whole one. @param {string} number @param {number} direction @param {boolean} bracketed */
function stepped(number, direction, bracketed) {
  if (bracketed && !number.includes(".")) return String(Math.max(0, Number(number) + direction));
  const next = (bracketed ? Math.max(0, Number(number) + direction * STEP) : Number(number) + direction * STEP).toFixed(Math.max(1, number.split(".")[1]?.length ?? 0));
  return bracketed ? next : String(Number(next));
}

/**
 * Make what is marked, or the word at the caret, count more or less: `word` -> `(word:1.1)`. At weight 1 the
 * parentheses go. A number at the caret is changed by itself.
 * @param {Marked} marked
 * @param {1 | -1} direction
 * @returns {Marked}
 */
export function reweighed({ text, start, end }, direction) {
  const found = numberAt({ text, start, end });
  if (found) {
    const { from, number } = found;
    const after = from + number.length;
    const next = number && stepped(number, direction, text[after] === "]");
    const on = start >= from && end <= after && number !== "";
    return { text: text.slice(0, from) + next + text.slice(after), start: on ? from : start, end: on ? from + next.length : end };
  }
  let [from, to] = wordAt(text, start, end);
  while (from < to && /\s/.test(text[from])) from += 1;
  while (to > from && /\s/.test(text[to - 1])) to -= 1;
  if (from === to) return { text, start, end };
  const around = aroundOf(text, from, to);
  const inner = around ? text.slice(around[0] + 1, around[1] - 1) : text.slice(from, to);
  const match = around ? /^(.*):(-?\d+(?:\.\d+)?)$/s.exec(inner) : null;
  const words = match ? match[1] : inner;
  const weight = Math.round(((match ? Number(match[2]) : around ? 1.1 : 1) + direction * STEP) * 100) / 100;
  const [a, b] = around ?? [from, to];
  const open = weight === 1 ? "" : "(";
  const close = weight === 1 ? "" : `:${weight})`;
  const begin = a + open.length;
  return { text: text.slice(0, a) + open + words + close + text.slice(b), start: begin, end: begin + words.length };
}

const NAME = /(?<!\w)(embedding:|<lora:)([^\s,()<>:，。、；：（）]*)$/;

/**
 * The name that is being typed at the caret: of a learned word (`embedding:NAME`) or of a LoRA (`<lora:NAME`).
 * @param {string} text
 * @param {number} caret
 * @returns {{folder: "embeddings" | "loras", from: number, typed: string} | null}
 */
export function nameAt(text, caret) {
  const match = NAME.exec(text.slice(0, caret));
  if (!match) return null;
  return { folder: match[1] === "embedding:" ? "embeddings" : "loras", from: caret - match[2].length, typed: match[2] };
}
