/**
 * Where everything in a node lies, worked out from its spec alone (no DOM is measured), so that the painter, the DOM
 * nodes, links and hit tests agree to the pixel. World units; one unit is one CSS pixel at scale 1.
 */

import { REROUTE } from "./catalogue.js";
import { linksOf, own } from "./level.js";
import { portLabel } from "./naming.js";

/** @import {Box, InputSpec, NodeData, NodeSpec, Place, Point} from "./types.js" */

export const HEADER = 36;
export const PORT_ROW = 24;
export const WIDGET_ROW = 32;
export const PADDING = 8;
/** Room under a node for its status line. */
export const STATUS = 24;
/** Where controls begin, and where at most: their labels are left of them. */
const LABEL = 96;
const WIDEST_LABEL = 160;
/** What a letter takes, one as wide as it is high, and those of a title, which are bold; what is beside labels and titles. */
const LETTER = 7.2;
const SQUARE = 13;
const BOLD = 1.2;
const BESIDE_LABEL = 20;
const BESIDE_TITLE = 26;
/** What a control is left with, where labels are long. */
const CONTROL = 140;
/** The line with the file's name, under its picture. */
export const FILE_LINE = 32;
const TEXT_ROWS = 136;
const FILE_ROWS = 176;
const WIDTH = 248;
const TEXT_WIDTH = 320;
export const MIN_WIDTH = 160;
export const REROUTE_SIZE = { w: 32, h: 16 };

/**
 * @typedef {{kind: "ports" | "widget" | "linked", y: number, h: number, input: InputSpec | null,
 *            output: {name: string, type: string} | null}} Row  y from the node's top
 * @typedef {{w: number, h: number, label: number, rows: Row[], inputs: Map<string, Point>, outputs: Map<string, Point>}} Layout  `label`: where controls begin
 */

/** @type {Readonly<Record<string, string>>} */
const NATURAL = { int: "Number", float: "Number", str: "Text", bool: "Toggle" };

/**
 * The control an input is edited with: its widget's kind, or the natural one of a plain type; null for a pure port.
 * @param {InputSpec} input
 * @returns {string | null}
 */
export const controlOf = (input) => input.widget?.kind ?? (Object.hasOwn(NATURAL, input.type) ? NATURAL[input.type] : null);

/** @param {InputSpec} input */
const isTall = (input) => (input.widget?.kind === "Text" && input.widget.multiline === true) || input.widget?.kind === "InputFile";

/** @param {InputSpec} input */
function controlHeight(input) {
  if (input.widget?.kind === "InputFile") return FILE_ROWS;
  return isTall(input) ? TEXT_ROWS : WIDGET_ROW;
}

/** What a text takes, at most. @param {string} text */
const widthOf = (text) => [...text].reduce((sum, letter) => sum + (letter > "\u2e80" ? SQUARE : LETTER), 0);

/** Where controls would begin so that the labels of all are readable. @param {readonly InputSpec[]} widgets */
function wantedLabel(widgets) {
  const widths = widgets.filter((input) => !isTall(input)).map(({ name }) => widthOf(portLabel(name)) + BESIDE_LABEL);
  return Math.min(WIDEST_LABEL, Math.max(LABEL, 8 * Math.ceil(Math.max(0, ...widths) / 8)));
}

/** How wide a node is that nobody made wider: enough for its title, its labels and controls. @param {NodeSpec} spec @param {boolean} roomy  with a box for text @param {number} label */
function naturalWidth(spec, roomy, label) {
  const titled = 8 * Math.ceil((widthOf(spec.title) * BOLD + BESIDE_TITLE) / 8);
  return roomy ? TEXT_WIDTH : Math.max(WIDTH + label - LABEL, Math.min(TEXT_WIDTH, titled));
}

/** What the layout of a node depends on besides its kind, as a key. @param {NodeData} node @param {Place} place */
export function shapeOf(node, { w, h, collapsed }) {
  let shape = `${w} ${h} ${collapsed}`;
  for (const [name, value] of Object.entries(node.inputs)) if (linksOf(value).length > 0) shape += `\0${name}`;
  return shape;
}

/**
 * @param {NodeSpec} spec
 * @param {NodeData} node
 * @param {Place | undefined} place  its w and h, when set, are honoured down to what the node needs
 * @returns {Layout}
 */
export function layoutOf(spec, node, place) {
  if (spec.id === REROUTE) return pointLayout(spec, REROUTE_SIZE.w, REROUTE_SIZE.h);
  if (place?.collapsed === true) return pointLayout(spec, Math.max(MIN_WIDTH, place.w ?? WIDTH), HEADER);
  const linked = (/** @type {InputSpec} */ input) => linksOf(own(node.inputs, input.name)).length > 0;
  const ports = spec.inputs.filter((input) => controlOf(input) === null);
  const widgets = spec.inputs.filter((input) => controlOf(input) !== null);
  const tall = widgets.filter((input) => isTall(input) && !linked(input));
  const label = wantedLabel(widgets);
  const w = Math.max(MIN_WIDTH, place?.w ?? naturalWidth(spec, tall.some((input) => input.widget?.kind === "Text"), label));

  /** @type {Layout} */
  const layout = { w, h: 0, label: Math.min(label, Math.max(LABEL, w - CONTROL)), rows: [], inputs: new Map(), outputs: new Map() };
  let y = HEADER + PADDING;
  for (let index = 0; index < Math.max(ports.length, spec.outputs.length); index++) {
    const [input, output] = [ports[index] ?? null, spec.outputs[index] ?? null];
    layout.rows.push({ kind: "ports", y, h: PORT_ROW, input, output });
    if (input) layout.inputs.set(input.name, { x: 0, y: y + PORT_ROW / 2 });
    if (output) layout.outputs.set(output.name, { x: w, y: y + PORT_ROW / 2 });
    y += PORT_ROW;
  }
  const fixed = widgets.reduce((sum, input) => sum + (linked(input) ? PORT_ROW : controlHeight(input)), 0);
  const spare = tall.length > 0 ? Math.max(0, (place?.h ?? 0) - (y + fixed + PADDING)) / tall.length : 0;
  for (const input of widgets) {
    const h = linked(input) ? PORT_ROW : controlHeight(input) + (isTall(input) ? spare : 0);
    layout.rows.push({ kind: linked(input) ? "linked" : "widget", y, h, input, output: null });
    layout.inputs.set(input.name, { x: 0, y: y + Math.min(h, WIDGET_ROW) / 2 });
    y += h;
  }
  layout.h = y + PADDING;
  return layout;
}

/** A node that shows no rows: all its ports are at the middle of its sides. @param {NodeSpec} spec @param {number} w @param {number} h @returns {Layout} */
function pointLayout(spec, w, h) {
  const inputs = new Map(spec.inputs.map((input) => [input.name, { x: 0, y: h / 2 }]));
  const outputs = new Map(spec.outputs.map((output) => [output.name, { x: w, y: h / 2 }]));
  return { w, h, label: 0, rows: [], inputs, outputs };
}

/** @param {Point} from @param {Point} to  How far the control points of a link reach out, sideways. */
function reach(from, to) {
  const dx = to.x - from.x;
  return dx >= 0 ? Math.max(24, dx / 2) : Math.min(160, 48 - dx / 4);
}

/**
 * A link as a cubic Bezier leaving to the right and arriving from the left.
 * @param {Point} from
 * @param {Point} to
 * @returns {[Point, Point, Point, Point]}
 */
export function bezier(from, to) {
  const r = reach(from, to);
  return [from, { x: from.x + r, y: from.y }, { x: to.x - r, y: to.y }, to];
}

/** The box of a link: its control points contain it. @param {Point} from @param {Point} to @returns {Box} */
export function linkBox(from, to) {
  const r = reach(from, to);
  const left = Math.min(from.x, to.x - r);
  const right = Math.max(from.x + r, to.x);
  const top = Math.min(from.y, to.y);
  return { x: left, y: top, w: Math.max(1, right - left), h: Math.max(1, Math.abs(to.y - from.y)) };
}

/** @param {readonly [Point, Point, Point, Point]} curve @param {number} t in 0..1 @returns {Point} */
export function pointOn([a, b, c, d], t) {
  const s = 1 - t;
  const [wa, wb, wc, wd] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
  return { x: wa * a.x + wb * b.x + wc * c.x + wd * d.x, y: wa * a.y + wb * b.y + wc * c.y + wd * d.y };
}

/** Distance from a point to a link, over 24 chords. @param {readonly [Point, Point, Point, Point]} curve @param {Point} point */
export function distanceToLink(curve, point) {
  let nearest = Infinity;
  let from = curve[0];
  for (let step = 1; step <= 24; step++) {
    const to = pointOn(curve, step / 24);
    nearest = Math.min(nearest, distanceToSegment(from, to, point));
    from = to;
  }
  return nearest;
}

/** @param {Point} from @param {Point} to @param {Point} point */
function distanceToSegment(from, to, point) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((point.x - from.x) * dx + (point.y - from.y) * dy) / length));
  return Math.hypot(from.x + t * dx - point.x, from.y + t * dy - point.y);
}

/** @param {Box} box @param {Point} point */
export const contains = (box, point) =>
  point.x >= box.x && point.x <= box.x + box.w && point.y >= box.y && point.y <= box.y + box.h;
