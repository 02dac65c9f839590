/** Text as the browser would set it: cut to a width, broken into lines, on the same baseline as in a DOM box. Results are kept. */

import { h } from "../dom.js";

/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Ctx */
/** @typedef {{name: string, size: number, drops: Map<number | string, number>, lines: Map<string, string>, blocks: Map<string, readonly string[]>, widths: Map<string, number>}} Font  drops: by the height of a line, or a text in a field, from its middle to the baseline */
/** @typedef {{text: string, use: () => void, underlined: boolean}} Run  `use` sets font and colour */

const FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
/** Fonts, and texts of one font, that are kept at most. */
const FONTS = 64;
const KEPT = 4000;
/** Height of a line in a node. */
const LEADING = 18;
const FIELD = 28;
/** A text longer than this is cut before it is measured: no line is so wide. */
const LONGEST = 400;
const STANDS_ALONE = /[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]/;
/** Where a line may break: after blanks and hyphens, and beside characters that stand for themselves. */
const BREAKS = /[^\S\n]+|[^\s\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef-]+-?|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]|-/gu;

export class Ink {
  /** @type {Map<string, Font>} */
  #fonts = new Map();
  #font = /** @type {Font} */ ({});

  /** Write in a font from now on. @param {Ctx} ctx @param {number} size in world units @param {number} weight @param {string} style @param {string} family */
  use(ctx, size, weight = 400, style = "", family = FAMILY) {
    const name = `${style} ${weight} ${size}px ${family}`;
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
    this.#write(ctx, text, x, y + this.#drop(ctx, leading), width);
  }

  /** The same as an input shows it, where letters of other fonts stand lower. @param {Ctx} ctx @param {string} text @param {number} x @param {number} y @param {number} width */
  field(ctx, text, x, y, width) {
    const { name, drops } = this.#font;
    const sample = STANDS_ALONE.test(text) ? "x\u4e2d" : "x";
    let drop = drops.get(sample);
    if (drop === undefined) drops.set(sample, (drop = dropInPage(name, FIELD, h("input", { class: "field", value: sample }))));
    this.#write(ctx, text, x, y + drop, width);
  }

  /** @param {Ctx} ctx @param {string} text @param {number} x @param {number} base @param {number} width */
  #write(ctx, text, x, base, width) {
    if (width <= 0 || text === "") return;
    const { lines } = this.#font;
    const key = `${Math.round(width)}\0${text}`;
    let shown = lines.get(key);
    if (shown === undefined) keep(lines, key, (shown = cut(ctx, text, width)));
    ctx.fillText(shown, x, base);
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
    if (lines === undefined) {
      const ends = wrap(text, width, rows, (from, to) => ctx.measureText(text.slice(from, to)).width);
      keep(blocks, key, (lines = ends.map(([from, to]) => text.slice(from, to))));
    }
    const drop = this.#drop(ctx, leading);
    for (const [index, line] of lines.entries()) ctx.fillText(line, x, Math.round(y + (index + 0.5) * leading + drop));
    return lines.length * leading;
  }

  /**
   * Write texts one after the other, each in its own way, as a paragraph of the page; the lines are those of the font in use.
   * @param {Ctx} ctx @param {readonly Run[]} runs @param {number} x @param {number} y @param {number} width @param {number} height @param {number} leading
   * @returns {number} how high the lines are
   */
  flow(ctx, runs, x, y, width, height, leading) {
    const drop = this.#drop(ctx, leading);
    const text = runs.map((run) => run.text).join("");
    const within = (/** @type {number} */ from, /** @type {number} */ to) => {
      let begin = 0;
      return runs.flatMap(({ text: own, use, underlined }) => {
        const part = own.slice(Math.max(0, from - begin), Math.max(0, to - begin));
        begin += own.length;
        if (part === "") return [];
        use();
        return [{ part, use, underlined, wide: ctx.measureText(part).width }];
      });
    };
    const widthOf = (/** @type {number} */ from, /** @type {number} */ to) => within(from, to).reduce((sum, { wide }) => sum + wide, 0);
    const lines = wrap(text, width, Math.max(0, Math.ceil(height / leading)), widthOf);
    for (const [index, [from, to]] of lines.entries()) {
      let [at, base] = [x, Math.round(y + (index + 0.5) * leading + drop)];
      for (const { part, use, underlined, wide } of within(from, to)) {
        use();
        ctx.fillText(part, at, base);
        if (underlined) ctx.fillRect(at, base + 1, wide, 1);
        at += wide;
      }
    }
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

/** The same for a line of the page, which rounds otherwise, or for what lies in that line. @param {string} font @param {number} leading @param {HTMLElement | null} box */
function dropInPage(font, leading, box = null) {
  const end = h("i");
  const line = h("div", {}, box ?? "x", end);
  Object.assign(line.style, { position: "absolute", font, lineHeight: box ? "normal" : `${leading}px` });
  end.style.display = "inline-block";
  document.body.append(line);
  const [{ top, height }, { bottom }] = [(box ?? line).getBoundingClientRect(), end.getBoundingClientRect()];
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

/**
 * Where the lines of a text begin and end, at most so many; a word that is wider than a line is broken anywhere.
 * @param {string} text @param {number} width @param {number} rows @param {(from: number, to: number) => number} widthOf  of a stretch
 * @returns {[number, number][]}
 */
function wrap(text, width, rows, widthOf) {
  /** @type {[number, number][]} */
  const lines = [];
  const tooWide = (/** @type {number} */ from, /** @type {number} */ to) => text.slice(from, to).trim() !== "" && widthOf(from, to) > width;
  let at = 0;
  for (const paragraph of text.slice(0, rows * LONGEST).split("\n")) {
    let [begin, end] = [at, at];
    for (const word of paragraph.match(BREAKS) ?? []) {
      if (lines.length >= rows) break;
      for (const part of tooWide(end, end + word.length) ? ["", ...word] : [word]) {
        if (end > begin && (part === "" || (part.trim() !== "" && tooWide(begin, end + part.length)))) {
          lines.push([begin, end]);
          begin = end;
        }
        end += part.length;
      }
    }
    lines.push([begin, end]);
    at += paragraph.length + 1;
  }
  return lines.slice(0, rows);
}
