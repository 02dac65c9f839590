/** A note as it reads: Markdown made into elements, and the same painted. Nothing in it is parsed as HTML. */

import { parse } from "../core/markdown.js";
import { h } from "../dom.js";

/** @import {Span} from "../core/markdown.js" */
/** @import {Box} from "../core/types.js" */
/** @import {Ctx, Ink} from "./ink.js" */
/** @import {Theme} from "./theme.js" */

const TAGS = /** @type {const} */ ({ h1: "h3", h2: "h4", h3: "h5", item: "li", code: "pre", text: "p" });
const STYLES = /** @type {const} */ ({ bold: "strong", italic: "em", code: "code" });
/** Size of the letters of a block; a line is half as high again. */
const SIZES = /** @type {const} */ ({ h1: 18, h2: 16, h3: 14, item: 13, code: 12, text: 13 });
const GAP = 6;
const MONO = "monospace";

/** @param {string} text @returns {HTMLElement[]} */
export const noteElements = (text) => parse(text).map(({ kind, spans }) => h(TAGS[kind], {}, ...spans.map(spanElement)));

/** @param {Span} span */
function spanElement({ text, style, href }) {
  if (href !== undefined) return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);
  return style ? h(STYLES[style], {}, text) : text;
}

/** @param {{ctx: Ctx, ink: Ink, theme: Theme}} tools @param {string} text @param {Box} box */
export function paintNote({ ctx, ink, theme }, text, box) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.x, box.y, box.w, box.h);
  ctx.clip();
  let { y } = box;
  for (const { kind, spans } of parse(text)) {
    const indent = kind === "item" ? 16 : 0;
    const size = SIZES[kind];
    const write = (/** @type {Partial<Span>} */ { style, href }) => {
      ink.use(ctx, size, style === "bold" ? 700 : kind.startsWith("h") ? 600 : 400, style === "italic" ? "italic" : "", style === "code" || kind === "code" ? MONO : undefined);
      ctx.fillStyle = href === undefined ? theme.text : theme.accent;
    };
    const runs = spans.map((span) => ({ text: span.text, use: () => write(span), underlined: span.href !== undefined }));
    write({});
    if (indent > 0) ink.line(ctx, "•", box.x, y + 0.75 * size, 12);
    y += ink.flow(ctx, runs, box.x + indent, y, box.w - indent, box.y + box.h - y, 1.5 * size) + GAP;
    if (y > box.y + box.h) break;
  }
  ctx.restore();
}
