/** The cells of a sweep: what each picture of it was made with, the workflow of one alone, and which lies where on a sheet. */

import { own } from "./level.js";
import { COPY } from "./run.js";
import { sweepsOf, unswept } from "./sweep.js";

/** @import {NodeRun} from "./run.js" */
/** @import {NodeData} from "./types.js" */
/** @typedef {{nodes: Readonly<Record<string, NodeData>>, [field: string]: unknown}} Workflow */
/** @typedef {{width: number, height: number}} Size */

const NUMBER = new RegExp(`${COPY}(\\d+)$`);
const COPIED = new RegExp(`${COPY}(\\d+)`);
/** What is said of a node that could not run as another one failed. */
const FAILED = /^(\S+) .* failed$/;
const SHEET = new RegExp(`^(.+)${COPY}sheet\\d+(?=${COPY}saved$)`);
/** Between the pictures of a sheet, in its pixels. */
const GAP = 8;

/**
 * Of the workflow that runs a sweep, the one that makes a single picture of it, and its values in words.
 * @param {unknown} workflow
 * @param {string} node  that made the picture
 * @returns {{workflow: Workflow, label: string} | null} null: it is no cell of a sweep
 */
export function cellOf(workflow, node) {
  const [swept, number] = [/** @type {Workflow} */ (unswept(workflow)), NUMBER.exec(node)?.[1]];
  if (swept === workflow || number === undefined) return null;
  const { nodes, cells } = /** @type {Workflow & {cells?: readonly string[]}} */ (workflow);
  const single = Object.entries(swept.nodes).map(([id, each]) => {
    const { inputs = {} } = /** @type {Partial<NodeData>} */ (own(nodes, `${id}${COPY}${number}`) ?? {});
    const names = Object.keys(sweepsOf(each)).filter((name) => own(inputs, name) !== undefined);
    if (names.length === 0) return [id, each];
    const { sweep: _, ...rest } = each;
    return [id, { ...rest, inputs: { ...each.inputs, ...Object.fromEntries(names.map((name) => [name, inputs[name]])) } }];
  });
  return { workflow: { ...swept, nodes: Object.fromEntries(single) }, label: cells?.[Number(number) - 1] ?? "" };
}

/**
 * The node that made the picture at a point of a sheet, whose cells lie at its right and lower edge.
 * @param {Workflow} workflow  that runs the sweep
 * @param {string} node  that saved the sheet
 * @param {Size} sheet
 * @param {(node: string) => Size | null} sizeOf  what a node saved, a batch side by side
 * @param {{x: number, y: number}} point  in pixels of the sheet
 * @returns {string | null}
 */
export function cellAt(workflow, node, sheet, sizeOf, { x, y }) {
  const [id, saver] = SHEET.exec(node) ?? [];
  if (id === undefined) return null;
  const { images, columns } = /** @type {{images: {node: string}[], columns: string}} */ (workflow.nodes[id].inputs);
  const makers = images.map((link) => `${saver}${COPY}${NUMBER.exec(link.node)?.[1]}`);
  const sizes = makers.flatMap((maker) => sizeOf(maker) ?? []);
  const [width, height] = [Math.max(...sizes.map((size) => size.width)) + GAP, Math.max(...sizes.map((size) => size.height)) + GAP];
  const across = columns.split("\n").length;
  const down = Math.ceil(makers.length / across);
  const [column, row] = [Math.floor((x - (sheet.width + GAP - across * width)) / width), Math.floor((y - (sheet.height + GAP - down * height)) / height)];
  return column >= 0 && row >= 0 ? (makers[row * across + column] ?? null) : null;
}

/**
 * The values of the cells that each failed node of a sweep cost: its own, and those that would have used what it makes.
 * @param {unknown} workflow  that runs the sweep
 * @param {ReadonlyMap<string, NodeRun>} told  of its nodes
 * @returns {ReadonlyMap<string, readonly string[]>} by the ids of those that failed
 */
export function lostCells(workflow, told) {
  const { cells = [] } = /** @type {{cells?: readonly string[]}} */ (workflow);
  /** @type {Map<string, Set<string>>} */
  const lost = new Map();
  for (const [id, { state, reason }] of told) {
    const cause = state === "failed" ? id : state === "skipped" ? FAILED.exec(reason)?.[1] : undefined;
    const label = cells[Number(COPIED.exec(id)?.[1]) - 1];
    if (cause !== undefined && label !== undefined) lost.set(cause, (lost.get(cause) ?? new Set()).add(label));
  }
  return new Map([...lost].map(([id, labels]) => [id, [...labels]]));
}
