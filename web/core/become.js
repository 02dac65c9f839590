/** What turns the workflow on the table into another one, as Changes, so that it can be undone like any edit. */

import { Document } from "./document.js";
import { same } from "./merge.js";

/** @import {Change} from "./document.js" */
/** @import {NodeData} from "./types.js" */

const NOWHERE = { x: 0, y: 0 };

/** @param {Document} document @param {unknown} json  a workflow; throws BadDocument for what is none @returns {Change[]} */
export function become(document, json) {
  const target = Document.from(json);
  const names = new Set([...document.components.keys(), ...target.components.keys()]);
  /** @type {Change[]} */
  const changes = [...names].flatMap((name) =>
    same(document.components.get(name), target.components.get(name)) ? [] : [{ kind: /** @type {const} */ ("component"), id: name, ports: target.components.get(name) }],
  );
  for (const level of ["", ...names]) changes.push(...sheetChanges(document, target, level));
  if (!same(document.interface, target.interface)) changes.push({ kind: "interface", ports: target.interface });
  return changes;
}

/** @param {Document} document @param {Document} target @param {string} level @returns {Change[]} */
function sheetChanges(document, target, level) {
  const [before, after] = [document.sheet(level), target.sheet(level)];
  /** @type {Change[]} */
  const changes = [...before.nodes.keys()].filter((id) => !after.nodes.has(id)).map((id) => ({ kind: "remove", id, level }));
  for (const [id, node] of after.nodes) {
    const place = after.places.get(id) ?? before.places.get(id) ?? NOWHERE;
    const old = before.nodes.get(id);
    if (!old) changes.push({ kind: "add", id, node, place, level });
    else {
      changes.push(...nodeChanges(id, old, node, level));
      if (!same(before.places.get(id), place)) changes.push({ kind: "place", id, place, level });
    }
  }
  for (const id of new Set([...before.frames.keys(), ...after.frames.keys()])) {
    if (!same(before.frames.get(id), after.frames.get(id))) changes.push({ kind: "frame", id, frame: after.frames.get(id), level });
  }
  return changes;
}

/** @param {string} id @param {NodeData} old @param {NodeData} node @param {string} level @returns {Change[]} */
function nodeChanges(id, old, node, level) {
  /** @param {Readonly<Record<string, unknown>>} a @param {Readonly<Record<string, unknown>>} b */
  const differing = (a, b) => [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => !same(a[name], b[name]));
  const [before, after] = [/** @type {Record<string, unknown>} */ (old), /** @type {Record<string, unknown>} */ (node)];
  /** @type {Change[]} */
  const inputs = differing(old.inputs, node.inputs).map((name) => ({ kind: "input", id, name, value: node.inputs[name], level }));
  const fields = differing(before, after).filter((name) => name !== "inputs");
  return [...inputs, ...fields.map((name) => /** @type {Change} */ ({ kind: "field", id, name, value: after[name], level }))];
}
