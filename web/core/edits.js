/** What a person does to a workflow, as lists of Changes: pure functions from the document to the Changes that do it. */

import { BadDocument, Document, isLink } from "./document.js";

/** @import {Change} from "./document.js" */
/** @import {Link, NodeSpec, Place, Point} from "./types.js" */

/**
 * A node of a kind, with its defaults written out.
 * @param {string} id
 * @param {NodeSpec} spec
 * @param {Place} place
 * @returns {Change[]}
 */
export function addNode(id, spec, place) {
  const constants = spec.inputs
    .filter((input) => input.widget !== null && initialValue(input) !== undefined)
    .map((input) => [input.name, initialValue(input)]);
  return [{ kind: "add", id, node: { type: spec.id, inputs: Object.fromEntries(constants) }, place }];
}

/** @param {import("./types.js").InputSpec} input @returns {unknown} */
function initialValue(input) {
  if (input.default !== undefined && input.default !== null) return input.default;
  return input.widget?.options?.[0];
}

/**
 * Take nodes away, and every link that reads them.
 * @param {Document} document
 * @param {Iterable<string>} ids
 * @returns {Change[]}
 */
export function removeNodes(document, ids) {
  const gone = new Set(ids);
  /** @type {Change[]} */
  const unlinks = [];
  for (const id of gone) {
    for (const reader of document.readers(id)) {
      if (!gone.has(reader.id)) unlinks.push({ kind: "input", id: reader.id, name: reader.name, value: undefined });
    }
  }
  return [...unlinks, ...[...gone].map((id) => /** @type {Change} */ ({ kind: "remove", id }))];
}

/** @param {string} id @param {string} name @param {unknown} value @returns {Change[]} */
export const setInput = (id, name, value) => [{ kind: "input", id, name, value }];

/** @param {Link} from @param {string} id @param {string} name @returns {Change[]} */
export const link = (from, id, name) => [{ kind: "input", id, name, value: { node: from.node, output: from.output } }];

/**
 * Take a link away; an input with a widget gets its default back.
 * @param {string} id
 * @param {string} name
 * @param {NodeSpec} spec
 * @returns {Change[]}
 */
export function unlink(id, name, spec) {
  const input = spec.inputs.find((candidate) => candidate.name === name);
  return [{ kind: "input", id, name, value: input?.widget ? initialValue(input) : undefined }];
}

/**
 * Move nodes by an offset from where they were when the gesture began.
 * @param {ReadonlyMap<string, Place>} start
 * @param {Point} offset
 * @returns {Change[]}
 */
export function moveNodes(start, offset) {
  return [...start].map(([id, place]) => ({
    kind: "place",
    id,
    place: { ...place, x: place.x + offset.x, y: place.y + offset.y },
  }));
}

/**
 * Part of a workflow as a workflow of its own; links from outside it are left out.
 * @param {Document} document
 * @param {Iterable<string>} ids
 */
export function extract(document, ids) {
  const kept = new Set(ids);
  const part = new Document();
  for (const id of kept) {
    const node = document.nodes.get(id);
    if (!node) continue;
    const inputs = Object.entries(node.inputs).filter(([, value]) => !isLink(value) || kept.has(value.node));
    const place = document.places.get(id) ?? { x: 0, y: 0 };
    part.apply([{ kind: "add", id, node: { ...node, inputs: Object.fromEntries(inputs) }, place }]);
  }
  return part.toJSON();
}

/**
 * Add another workflow's nodes under fresh ids, its top left corner at a point.
 * @param {Document} document
 * @param {unknown} json
 * @param {Point} at
 * @returns {{changes: Change[], ids: string[]}}
 */
export function insert(document, json, at) {
  const part = Document.from(json);
  if (part.nodes.size === 0) throw new BadDocument("There is no node in this workflow.");
  let next = Number(document.freeId());
  const renamed = new Map([...part.nodes.keys()].map((id) => [id, String(next++)]));
  const places = [...part.nodes.keys()].map((id) => part.places.get(id) ?? { x: 0, y: 0 });
  const left = Math.min(...places.map((place) => place.x));
  const top = Math.min(...places.map((place) => place.y));
  /** @type {Change[]} */
  const changes = [];
  for (const [index, [id, node]] of [...part.nodes].entries()) {
    const inputs = Object.entries(node.inputs)
      .filter(([, value]) => !isLink(value) || renamed.has(value.node))
      .map(([name, value]) => [name, isLink(value) ? { node: renamed.get(value.node), output: value.output } : value]);
    const place = { ...places[index], x: places[index].x - left + at.x, y: places[index].y - top + at.y };
    const freshId = /** @type {string} */ (renamed.get(id));
    changes.push({ kind: "add", id: freshId, node: { ...node, inputs: Object.fromEntries(inputs) }, place });
  }
  return { changes, ids: [...renamed.values()] };
}
