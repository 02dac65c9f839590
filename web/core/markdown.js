/** The part of Markdown that notes use, as data: headings, lists, paragraphs, code, and in them bold, italic, code and web links. */

/**
 * @typedef {{text: string, style?: "bold" | "italic" | "code", href?: string}} Span
 * @typedef {{kind: "h1" | "h2" | "h3" | "item" | "code" | "text", spans: readonly Span[]}} Block  a line of the note, or several of a paragraph
 */

/** @type {readonly [RegExp, Block["kind"]][]} */
const STARTS = [[/^### +/, "h3"], [/^## +/, "h2"], [/^# +/, "h1"], [/^ *(?:[-*+]|\d+[.)]) +/, "item"]];
const SPANS = /\*\*(.+?)\*\*|\*(.+?)\*|`(.+?)`|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/g;

/** @param {string} text @returns {Block[]} */
export function parse(text) {
  /** @type {Block[]} */
  const blocks = [];
  /** @type {string[] | null} */
  let code = null;
  for (const line of text.split("\n")) {
    if (line.startsWith("```")) {
      if (code) blocks.push({ kind: "code", spans: [{ text: code.join("\n") }] });
      code = code ? null : [];
    } else if (code) code.push(line);
    else if (line.trim() !== "") blocks.push(block(line));
  }
  if (code) blocks.push({ kind: "code", spans: [{ text: code.join("\n") }] });
  return blocks;
}

/** @param {string} line @returns {Block} */
function block(line) {
  for (const [start, kind] of STARTS) if (start.test(line)) return { kind, spans: spans(line.replace(start, "")) };
  return { kind: "text", spans: spans(line) };
}

/** @param {string} line @returns {Span[]} */
function spans(line) {
  /** @type {Span[]} */
  const found = [];
  let end = 0;
  for (const match of line.matchAll(SPANS)) {
    if (match.index > end) found.push({ text: line.slice(end, match.index) });
    end = match.index + match[0].length;
    const [, bold, italic, code, label, href] = match;
    if (label) found.push({ text: label, href });
    else if (bold) found.push({ text: bold, style: "bold" });
    else if (italic) found.push({ text: italic, style: "italic" });
    else found.push({ text: code, style: "code" });
  }
  if (end < line.length) found.push({ text: line.slice(end) });
  return found;
}
