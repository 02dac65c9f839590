/** Text as the browser would set it: cut to a width, broken into lines, on the same baseline as in a DOM box. Results are kept. */

/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Ctx */

const FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
const KEPT = 8000;
/** A text longer than this is cut before it is measured: no line is so wide. */
const LONGEST = 400;
/** Where a line may break: after blanks and hyphens, and beside characters that stand for themselves. */
const BREAKS = /[^\S\n]+|[^\s\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef-]+-?|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]|-/gu;

export class Ink {
  /** @type {Map<string, any>} */
  #kept = new Map();

  /** @param {number} size in world units @param {number} weight @param {string} style */
  font(size, weight = 400, style = "") {
    return `${style} ${weight} ${size}px ${FAMILY}`;
  }

  /**
   * Write one line, its middle at `y`, cut with an ellipsis where it is too long.
   * @param {Ctx} ctx  with font, fillStyle and textAlign set
   * @param {string} text @param {number} x @param {number} y @param {number} width
   */
  line(ctx, text, x, y, width) {
    if (width <= 0 || text === "") return;
    ctx.fillText(this.#keep(`${ctx.font}\0${width.toFixed(1)}\0${text}`, () => cut(ctx, text, width)), x, y + this.#drop(ctx));
  }

  /**
   * Write a text of several lines from the top of a box, as a text area shows it.
   * @param {Ctx} ctx @param {string} text @param {number} x @param {number} y @param {number} width @param {number} height @param {number} leading
   */
  block(ctx, text, x, y, width, height, leading) {
    const rows = Math.ceil(height / leading);
    const lines = this.#keep(`${ctx.font}\0${width.toFixed(1)}\0${rows}\0${text}`, () => wrap(ctx, text, width, rows));
    const drop = this.#drop(ctx);
    for (const [index, line] of lines.entries()) ctx.fillText(line, x, y + (index + 0.5) * leading + drop);
  }

  /** Width of a text. @param {Ctx} ctx @param {string} text @returns {number} */
  width(ctx, text) {
    return this.#keep(`${ctx.font}\0width\0${text}`, () => ctx.measureText(text).width);
  }

  /** From the middle of a line down to its baseline. @param {Ctx} ctx @returns {number} */
  #drop(ctx) {
    return this.#keep(ctx.font, () => {
      const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = ctx.measureText("x");
      return (Math.round(up) - Math.round(down)) / 2;
    });
  }

  /** @template T @param {string} key @param {() => T} make @returns {T} */
  #keep(key, make) {
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    if (this.#kept.size >= KEPT) this.#kept.clear();
    const made = make();
    this.#kept.set(key, made);
    return made;
  }
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

/** A text broken into at most so many lines. @param {Ctx} ctx @param {string} text @param {number} width @param {number} rows @returns {string[]} */
function wrap(ctx, text, width, rows) {
  /** @type {string[]} */
  const lines = [];
  for (const paragraph of text.slice(0, rows * LONGEST).split("\n")) {
    let line = "";
    for (const word of paragraph.match(BREAKS) ?? []) {
      if (line !== "" && word.trim() !== "" && ctx.measureText(line + word).width > width) {
        lines.push(line);
        if (lines.length === rows) return lines;
        line = "";
      }
      line += word;
    }
    lines.push(line);
    if (lines.length === rows) return lines;
  }
  return lines;
}
