/** The controls of a node, painted: for each kind of widget what its DOM control looks like while nobody uses it. */

import { controlOf, FILE_LINE, WIDGET_ROW } from "../core/geometry.js";
import { optionLabel, portLabel } from "../core/naming.js";
import { t } from "../core/strings.js";

/** @import {Row} from "../core/geometry.js" */
/** @import {Box, InputSpec} from "../core/types.js" */
/** @import {Ctx, Ink} from "./ink.js" */
/** @import {Theme} from "./theme.js" */
/** @typedef {{ctx: Ctx, ink: Ink, theme: Theme, box: Box, input: InputSpec, value: unknown}} Brush  box: of the control, in the world */

const SIZE = 13;
const RADIUS = 6;
const NUMBER = 64;
const BUTTON = 28;
const GAP = 8;

/** @type {Readonly<Record<string, (brush: Brush) => void>>} */
const PAINTERS = { Slider: slider, Number: slider, Seed: seed, Text: text, Toggle: toggle, Choice: choice, ModelFile: choice, InputFile: file };

/**
 * Paint the control of a widget row.
 * @param {{ctx: Ctx, ink: Ink, theme: Theme}} tools
 * @param {Box} node @param {Row} row @param {number} begin  of the control, where its label is left of it @param {InputSpec} input @param {unknown} value
 */
export function paintControl(tools, node, row, begin, input, value) {
  const tall = row.h > WIDGET_ROW;
  const left = node.x + (tall ? 12 : begin);
  const box = { x: left, y: node.y + row.y + 2, w: node.x + node.w - 12 - left, h: row.h - 4 };
  const paint = PAINTERS[controlOf(input) ?? ""] ?? text;
  paint({ ...tools, box, input, value: value ?? input.default });
}

/** @param {Brush} brush @param {Box} box */
function field({ ctx, theme }, box) {
  ctx.fillStyle = theme.field;
  ctx.beginPath();
  ctx.roundRect(box.x, box.y, box.w, box.h, RADIUS);
  ctx.fill();
}

/** An input with its text. @param {Brush} brush @param {Box} box @param {string} value */
function line(brush, box, value) {
  field(brush, box);
  const { ctx, ink, theme } = brush;
  ctx.fillStyle = theme.text;
  ink.use(ctx, SIZE);
  ink.field(ctx, value, box.x + 9, box.y + box.h / 2, box.w - 18);
}

/** @param {Brush} brush */
function text(brush) {
  const { ctx, ink, theme, box, input, value } = brush;
  const words = String(value ?? "");
  if (box.h <= WIDGET_ROW) return line(brush, box, words);
  field(brush, box);
  ctx.fillStyle = words === "" ? theme.muted : theme.text;
  ink.use(ctx, SIZE);
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.x, box.y + 1, box.w, box.h - 2);
  ctx.clip();
  ink.block(ctx, words === "" ? portLabel(input.name) : words, box.x + 9, box.y + 9, box.w - 18, box.h - 9, 1.5 * SIZE);
  ctx.restore();
}

/** A number, with its slider when the range is known. @param {Brush} brush */
function slider(brush) {
  const { ctx, theme, box, input, value } = brush;
  const { min, max } = input.widget ?? {};
  const shown = String(value ?? "");
  if (min === undefined || max === undefined || min === null || max === null) return line(brush, box, shown);
  const [w, y] = [box.w - NUMBER - GAP, box.y + box.h / 2];
  const part = Math.min(1, Math.max(0, (Number(value) - min) / (max - min || 1)));
  const at = box.x + 6 + (w - 12) * part;
  for (const [colour, from, to] of /** @type {const} */ ([[theme.line, box.x, box.x + w], [theme.accent, box.x, at]])) {
    ctx.fillStyle = colour;
    ctx.beginPath();
    ctx.roundRect(from, y - 2, to - from, 4, 2);
    ctx.fill();
  }
  ctx.fillStyle = theme.accent;
  ctx.beginPath();
  ctx.arc(at, y, 6, 0, 2 * Math.PI);
  ctx.fill();
  line(brush, { ...box, x: box.x + w + GAP, w: NUMBER }, shown);
}

/** @param {Brush} brush */
function seed(brush) {
  const { ctx, theme, box, value } = brush;
  line(brush, { ...box, w: box.w - BUTTON - GAP }, String(value ?? ""));
  const button = { x: box.x + box.w - BUTTON, y: box.y, w: BUTTON, h: BUTTON };
  field(brush, button);
  ctx.strokeStyle = theme.text;
  ctx.lineWidth = 1.5;
  ctx.strokeRect(button.x + 9, button.y + 9, 10, 10);
}

/** @param {Brush} brush */
function toggle({ ctx, theme, box, value }) {
  const [x, y] = [box.x + box.w - 32, box.y + 5];
  ctx.fillStyle = value === true ? theme.accent : theme.line;
  ctx.beginPath();
  ctx.roundRect(x, y, 32, 18, 9);
  ctx.fill();
  ctx.fillStyle = theme.surface;
  ctx.beginPath();
  ctx.arc(x + (value === true ? 23 : 9), y + 9, 6, 0, 2 * Math.PI);
  ctx.fill();
}

/** @param {Brush} brush */
function choice(brush) {
  const { ctx, ink, theme, box, value } = brush;
  field(brush, box);
  ctx.fillStyle = theme.text;
  ink.use(ctx, SIZE);
  ink.line(ctx, optionLabel(String(value ?? "")), box.x + 9, box.y + box.h / 2, box.w - 34);
  const [x, y] = [box.x + box.w - 16, box.y + box.h / 2 - 2];
  ctx.strokeStyle = theme.muted;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.moveTo(x - 4, y);
  ctx.lineTo(x, y + 4);
  ctx.lineTo(x + 4, y);
  ctx.stroke();
}

/** @param {Brush} brush */
function file(brush) {
  const { ctx, ink, theme, box, value } = brush;
  const name = typeof value === "string" && value !== "" ? value : null;
  field(brush, { ...box, h: box.h - FILE_LINE });
  ctx.fillStyle = theme.muted;
  ink.use(ctx, SIZE);
  if (name === null) {
    ctx.textAlign = "center";
    ink.line(ctx, t("widget.dropHere"), box.x + box.w / 2, box.y + (box.h - FILE_LINE) / 2, box.w - 16);
    ctx.textAlign = "left";
  }
  ink.line(ctx, name ?? t("widget.choose"), box.x, box.y + box.h - BUTTON / 2, box.w - BUTTON - GAP);
  field(brush, { x: box.x + box.w - BUTTON, y: box.y + box.h - BUTTON, w: BUTTON, h: BUTTON });
}
