/** Text as the browser would set it: cut to a width, broken into lines, on the same baseline as in a DOM box. Results are kept. */

import { h } from "../dom.js";

/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Ctx */
/** @typedef {{name: string, size: number, drops: Map<number, number>, lines: Map<string, string>, blocks: Map<string, readonly string[]>, widths: Map<string, number>}} Font  drops: by the height of a line, from its middle to the baseline */

const FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
/** Fonts, and texts of one font, that are kept at most. */
const FONTS = 64;
const KEPT = 4000;
/** Height of a line in a node. */
const LEADING = 18;
/** A text longer than this is cut before it is measured: no line is so wide. */
const LONGEST = 400;
/** Where a line may break: after blanks and hyphens, and beside characters that stand for themselves. */
const BREAKS = /[^\S\n]+|[^\s\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef-]+-?|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]|-/gu;

export class Ink {
  /** @type {Map<string, Font>} */
  #fonts = new Map();
  #font = /** @type {Font} */ ({});

  /** Write in a font from now on. @param {Ctx} ctx @param {number} size in world units @param {number} weight @param {string} style */
  use(ctx, size, weight = 400, style = "") {
    const name = `${style} ${weight} ${size}px ${FAMILY}`;
    ctx.font = name;
    let font = this.#fonts.get(name);
    if (!font) {
      if (this.#fonts.size >= FONTS) this.#fonts.clear();
      font = { name, size, drops: new Map(), lines: new Map(), blocks: new Map(), widths: new Map() };
      this.#fonts.set(name, font);
    }
    this.#font = font;
  }

  /**
   * Write one line, its middle at `y`, cut with an ellipsis where it is too long.
   * @param {Ctx} ctx @param {string} text @param {number} x @param {number} y @param {number} width @param {number} leading
   */
  line(ctx, text, x, y, width, leading = LEADING) {
    if (width <= 0 || text === "") return;
    const { lines } = this.#font;
    const key = `${Math.round(width)}\0${text}`;
    let shown = lines.get(key);
    if (shown === undefined) keep(lines, key, (shown = cut(ctx, text, width)));
    ctx.fillText(shown, x, y + this.#drop(ctx, leading));
  }

  /**
   * Write a text of several lines from the top of a box, as a text area shows it.
   * @param {Ctx} ctx @param {string} text @param {number} x @param {number} y @param {number} width @param {number} height @param {number} leading
   * @returns {number} how high the lines are
   */
  block(ctx, text, x, y, width, height, leading) {
    const rows = Math.max(0, Math.ceil(height / leading));
    const { blocks } = this.#font;
    const key = `${Math.round(width)}\0${rows}\0${text}`;
    let lines = blocks.get(key);
    if (lines === undefined) keep(blocks, key, (lines = wrap(ctx, text, width, rows)));
    const drop = this.#drop(ctx, leading);
    for (const [index, line] of lines.entries()) ctx.fillText(line, x, Math.round(y + (index + 0.5) * leading + drop));
    return lines.length * leading;
  }

  /** Width of a text. @param {Ctx} ctx @param {string} text @returns {number} */
  width(ctx, text) {
    const { widths } = this.#font;
    let width = widths.get(text);
    if (width === undefined) keep(widths, text, (width = ctx.measureText(text).width));
    return width;
  }

  /** From the middle of a line to its baseline. Text of the DOM has sizes in whole pixels. @param {Ctx} ctx @param {number} leading */
  #drop(ctx, leading) {
    const { name, size, drops } = this.#font;
    let drop = drops.get(leading);
    if (drop === undefined) drops.set(leading, (drop = Number.isInteger(size) ? dropInPage(name, leading) : dropIn(ctx)));
    return drop;
  }
}

/** @param {Ctx} ctx */
function dropIn(ctx) {
  const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = ctx.measureText("x");
  return (up - down) / 2;
}

/** The same for a line of the page, which rounds otherwise. @param {string} font @param {number} leading */
function dropInPage(font, leading) {
  const end = h("i");
  const line = h("div", {}, "x", end);
  Object.assign(line.style, { position: "absolute", font, lineHeight: `${leading}px` });
  end.style.display = "inline-block";
  document.body.append(line);
  const [{ top, height }, { bottom }] = [line.getBoundingClientRect(), end.getBoundingClientRect()];
  line.remove();
  return ((bottom - top) / height - 0.5) * leading;
}

/** @template T @param {Map<string, T>} map @param {string} key @param {T} value */
function keep(map, key, value) {
  if (map.size >= KEPT) map.clear();
  map.set(key, value);
}

/** A text cut to a width, by halving. @param {Ctx} ctx @param {string} text @param {number} width */
function cut(ctx, text, width) {
  const line = text.length > LONGEST ? text.slice(0, LONGEST) : text;
  if (ctx.measureText(line).width <= width) return line;
  let [low, high] = [0, line.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (ctx.measureText(`${line.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return `${line.slice(0, low)}…`;
}

/** A text broken into at most so many lines; a word that is wider than a line is broken anywhere. @param {Ctx} ctx @param {string} text @param {number} width @param {number} rows @returns {string[]} */
function wrap(ctx, text, width, rows) {
  /** @type {string[]} */
  const lines = [];
  const tooWide = (/** @type {string} */ part) => part.trim() !== "" && ctx.measureText(part).width > width;
  for (const paragraph of text.slice(0, rows * LONGEST).split("\n")) {
    let line = "";
    for (const word of paragraph.match(BREAKS) ?? []) {
      if (lines.length >= rows) break;
      for (const part of tooWide(word) ? ["", ...word] : [word]) {
        if (line !== "" && (part === "" || (part.trim() !== "" && tooWide(line + part)))) {
          lines.push(line);
          line = "";
        }
        line += part;
      }
    }
    lines.push(line);
  }
  return lines.slice(0, rows);
}
