/** A node painted in full: to the eye the same as its DOM (node.js), which takes its place once the view rests. */

import { isPlain } from "../core/colours.js";
import { NOTE, REROUTE } from "../core/catalogue.js";
import { HEADER, STATUS, WIDGET_ROW } from "../core/geometry.js";
import { linksOf, own } from "../core/level.js";
import { portLabel } from "../core/naming.js";
import { sentence } from "../core/run.js";
import { t } from "../core/strings.js";
import { paintControl } from "./controls.js";
import { isOff, namingOf, titleOf } from "./look.js";
import { paintNote } from "./note.js";
import { badgeOf, whyOf } from "./status.js";

/** @import {Row} from "../core/geometry.js" */
/** @import {Box, InputSpec, NodeSpec} from "../core/types.js" */
/** @import {Scenery} from "./painter.js" */

const SIZE = 13;
const SMALL = 12;
const RADIUS = 8;
/** How much is left of what is in a node that takes no part in a run. */
const OFF = 0.45;

/** What of a node lies in an area. @param {Scenery} scenery @param {string} id @param {string} title @param {string} edge @param {Box} area */
export function paintNear(scenery, id, title, edge, area) {
  const { ctx, theme, editor } = scenery;
  const box = /** @type {Box} */ (editor.scene.nodes.box(id));
  const layout = editor.scene.layout(id);
  if (!layout) return;
  const place = editor.document.places.get(id);
  const spec = editor.scene.spec(id);
  paintBox(scenery, box, edge, theme.tinted(place?.colour), spec);
  ctx.globalAlpha = isOff(editor, id) ? OFF : 1;
  const [top, bottom] = [area.y - box.y, area.y + area.h - box.y];
  if (spec.id !== REROUTE && top < HEADER) paintHead(scenery, id, box, title);
  const read = new Set([...editor.document.readers(id)].flatMap((end) => linksOf(editor.document.input(end.id, end.name)).flatMap((link) => (link.node === id ? link.output : []))));
  for (const row of layout.rows) if (row.y < bottom && row.y + row.h > top) paintRow(scenery, id, box, row, layout.label, read);
  if (layout.rows.length === 0) paintStubs(scenery, id, box, spec, read);
  if (bottom > box.h) paintStatus(scenery, id, box);
  ctx.globalAlpha = 1;
}

/** The ports of a node that shows no rows: one each side, full when any link goes there. @param {Scenery} scenery @param {string} id @param {Box} box @param {NodeSpec} spec @param {ReadonlySet<string>} read */
function paintStubs(scenery, id, box, spec, read) {
  const inputs = scenery.editor.document.nodes.get(id)?.inputs ?? {};
  const [input] = spec.inputs.toSorted((a, b) => linksOf(own(inputs, b.name)).length - linksOf(own(inputs, a.name)).length);
  const [output] = spec.outputs.toSorted((a, b) => Number(read.has(b.name)) - Number(read.has(a.name)));
  if (input) paintPort(scenery, input, box.x, box.y + box.h / 2, linksOf(own(inputs, input.name)).length > 0);
  if (output) paintPort(scenery, output, box.x + box.w, box.y + box.h / 2, read.has(output.name));
}

/** @param {Scenery} scenery @param {Box} box @param {string} edge @param {string | null} tint @param {NodeSpec} spec */
function paintBox({ ctx, theme }, { x, y, w, h }, edge, tint, spec) {
  ctx.beginPath();
  ctx.roundRect(x, y, w, h, RADIUS);
  ctx.fillStyle = theme.surface;
  ctx.fill();
  if (spec.id !== REROUTE) {
    ctx.beginPath();
    ctx.roundRect(x + 0.5, y + 0.5, w - 1, HEADER - 0.5, h > HEADER ? [RADIUS, RADIUS, 0, 0] : RADIUS);
    ctx.fillStyle = tint ?? theme.head;
    ctx.fill();
    ctx.fillStyle = theme.line;
    if (h > HEADER) ctx.fillRect(x + 1, y + HEADER - 1, w - 2, 1);
  }
  const strong = edge === "failed" || edge === "selected";
  ctx.strokeStyle = edge === "failed" ? theme.danger : edge === "selected" ? theme.accent : theme.line;
  ctx.lineWidth = strong ? 2 : 1;
  const out = strong ? 0 : 0.5;
  if (spec.missing) ctx.setLineDash([4, 3]);
  ctx.beginPath();
  ctx.roundRect(x + out, y + out, w - 2 * out, h - 2 * out, RADIUS - out);
  ctx.stroke();
  if (spec.missing) ctx.setLineDash([]);
}

/** @param {Scenery} scenery @param {string} id @param {Box} box @param {string} title */
function paintHead({ ctx, ink, theme, run, problems }, id, box, title) {
  const state = run.nodes.get(id);
  const badge = problems.has(id) || state?.state === "running" ? "" : badgeOf(state);
  const middle = box.y + HEADER / 2;
  let room = box.w - 26;
  if (badge !== "") {
    ink.use(ctx, SMALL);
    ctx.fillStyle = theme.muted;
    ctx.textAlign = "right";
    ink.line(ctx, badge, box.x + box.w - 13, middle, box.w / 2);
    ctx.textAlign = "left";
    room -= ink.width(ctx, badge) + 8;
  }
  ink.use(ctx, SIZE, 600);
  ctx.fillStyle = theme.text;
  ink.line(ctx, title, box.x + 13, middle, room);
}

/** @param {Scenery} scenery @param {string} id @param {Box} box @param {Row} row @param {number} begin  of controls @param {ReadonlySet<string>} read  outputs that are linked */
function paintRow(scenery, id, box, row, begin, read) {
  const { ctx, ink, theme, editor } = scenery;
  const node = editor.document.nodes.get(id);
  const middle = box.y + row.y + Math.min(row.h, WIDGET_ROW) / 2;
  const { input, output } = row;
  if (input) {
    const value = own(node?.inputs ?? {}, input.name);
    if (node?.type === NOTE) return paintNote(scenery, String(value ?? ""), { x: box.x + 12, y: box.y + row.y + 2, w: box.w - 24, h: row.h - 4 });
    if (row.kind === "widget") paintControl(scenery, box, row, begin, input, value);
    const tall = row.kind === "widget" && row.h > WIDGET_ROW;
    const label = portLabel(input.name);
    const room = row.kind === "widget" ? begin - 20 : (output ? box.w / 2 : box.w) - 24;
    ink.use(ctx, SIZE);
    ctx.fillStyle = theme.muted;
    if (!tall) ink.line(ctx, label, box.x + 12, middle, room, row.kind === "widget" ? WIDGET_ROW : undefined);
    if (row.kind === "linked") paintSource(scenery, value, box.x + 20 + ink.width(ctx, label), middle, box.w - 32 - ink.width(ctx, label));
    const linked = linksOf(value).length > 0 || editor.document.isShown(id, "input", input.name);
    if (row.kind !== "widget" || linked || !isPlain(input.type)) paintPort(scenery, input, box.x, middle, linked);
  }
  if (output) {
    ink.use(ctx, SIZE);
    ctx.fillStyle = theme.muted;
    ctx.textAlign = "right";
    ink.line(ctx, portLabel(output.name), box.x + box.w - 12, middle, box.w - 24);
    ctx.textAlign = "left";
    paintPort(scenery, output, box.x + box.w, middle, read.has(output.name) || editor.document.isShown(id, "output", output.name));
  }
}

/** What a linked widget gets its value from. @param {Scenery} scenery @param {unknown} value @param {number} x @param {number} y @param {number} room */
function paintSource({ ctx, ink, editor }, value, x, y, room) {
  const titles = linksOf(value).map((link) => (editor.document.nodes.has(link.node) ? titleOf(editor, link.node) : link.node));
  ink.use(ctx, SMALL, 400, "italic");
  ink.line(ctx, t("node.linked", { title: titles.join(", ") }), x, y, room);
}

/** @param {Scenery} scenery @param {Pick<InputSpec, "type">} port @param {number} x @param {number} y @param {boolean} linked */
function paintPort({ ctx, theme }, { type }, x, y, linked) {
  ctx.beginPath();
  if (isPlain(type)) ctx.roundRect(x - 3, y - 3, 6, 6, 1);
  else ctx.arc(x, y, 4, 0, 2 * Math.PI);
  ctx.fillStyle = linked ? theme.port(type) : theme.surface;
  ctx.fill();
  ctx.strokeStyle = theme.port(type);
  ctx.lineWidth = 2;
  ctx.stroke();
}

/** What there is to say under a node: its problem, or why it ran. @param {Scenery} scenery @param {string} id @param {Box} box */
function paintStatus({ ctx, ink, theme, editor, run, problems }, id, box) {
  const [problem] = problems.get(id) ?? [];
  const state = run.nodes.get(id);
  const text = problem ? sentence(problem, editor.scene.spec(id).title) : whyOf(state, namingOf(editor));
  if (text === "") return;
  const top = box.y + box.h + 3;
  if (problem) {
    ctx.fillStyle = theme.dangerSoft;
    ctx.strokeStyle = theme.danger;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.roundRect(box.x + 0.5, top + 0.5, box.w - 1, STATUS, RADIUS);
    ctx.fill();
    ctx.stroke();
  }
  ink.use(ctx, SMALL);
  ctx.fillStyle = problem ? theme.text : state?.next === undefined ? theme.muted : theme.next;
  ink.line(ctx, text, box.x + (problem ? 32 : 5), top + (problem ? STATUS / 2 : 9), box.w - (problem ? 40 : 10));
}
