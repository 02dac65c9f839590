/** What a person does to the nodes of a sheet, as lists of Changes: pure functions from the document to the Changes that do it. */

import { fits, takesMany } from "./connect.js";
import { isLink, linksOf } from "./level.js";

/** @import {Change, Document} from "./document.js" */
/** @import {InputSpec, Link, NodeData, NodeSpec, Place, Point} from "./types.js" */
/** @typedef {(id: string) => NodeSpec} SpecOf */

/**
 * A node of a kind, with its defaults written out. An instance of a component takes them from the component.
 * @param {string} id
 * @param {NodeSpec} spec
 * @param {Place} place
 * @returns {Change[]}
 */
export function addNode(id, spec, place) {
  const constants = spec.inputs
    .filter((input) => input.widget !== null && initialValue(input, spec) !== undefined)
    .map((input) => [input.name, initialValue(input, spec)]);
  return [{ kind: "add", id, node: { type: spec.id, inputs: Object.fromEntries(constants) }, place }];
}

/** @param {InputSpec} input @param {NodeSpec} spec @returns {unknown} */
function initialValue(input, spec) {
  if (spec.component !== undefined) return undefined;
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
  return [...unlinkReaders(document, gone), ...[...gone].map((id) => /** @type {Change} */ ({ kind: "remove", id }))];
}

/** Take away the links that lead out of some nodes. @param {Document} document @param {ReadonlySet<string>} gone @returns {Change[]} */
function unlinkReaders(document, gone) {
  const ends = new Map([...gone].flatMap((id) => [...document.readers(id)]).map((end) => [`${end.id}\0${end.name}`, end]));
  return [...ends.values()].filter(({ id }) => !gone.has(id)).map(({ id, name }) => relink(document, id, name, (link) => (gone.has(link.node) ? null : link)));
}

/**
 * Change the links of an input; null takes one away.
 * @param {Document} document
 * @param {string} id
 * @param {string} name
 * @param {(link: Link) => Link | null} change
 * @returns {Change}
 */
export function relink(document, id, name, change) {
  const value = document.input(id, name);
  const left = Array.isArray(value) ? value.flatMap((item) => (isLink(item) ? (change(item) ?? []) : [item])) : isLink(value) ? change(value) : value;
  const empty = left === null || (Array.isArray(left) && left.length === 0);
  return { kind: "input", id, name, value: empty ? undefined : left };
}

/**
 * Take nodes away, joining what they read to what read them, where an output and an input are of one type.
 * @param {Document} document
 * @param {SpecOf} specOf
 * @param {Iterable<string>} ids
 * @returns {Change[]}
 */
export function removeKeepingFlow(document, specOf, ids) {
  const gone = new Set(ids);
  const past = (/** @type {Link} */ link) => {
    /** @type {Link | null} */
    let at = link;
    for (let hops = 0; at !== null && gone.has(at.node) && hops <= gone.size; hops++) at = through(document, specOf, at);
    return at;
  };
  /** @type {Map<string, Change>} */
  const changes = new Map();
  for (const id of gone) {
    for (const end of document.readers(id)) if (!gone.has(end.id)) changes.set(`${end.id}\0${end.name}`, relink(document, end.id, end.name, past));
  }
  return [...changes.values(), ...[...gone].map((id) => /** @type {Change} */ ({ kind: "remove", id }))];
}

/** The link that reaches an output through its node: its first linked input of the same type. @param {Document} document @param {SpecOf} specOf @param {Link} link */
function through(document, specOf, link) {
  const spec = specOf(link.node);
  const type = spec.outputs.find((output) => output.name === link.output)?.type;
  const inputs = spec.inputs.filter((input) => linksOf(document.input(link.node, input.name)).length > 0 && type !== undefined);
  const input = inputs.find((each) => each.type === type) ?? inputs.find((each) => fits(each.type, type ?? ""));
  return input ? linksOf(document.input(link.node, input.name))[0] : null;
}

/** @param {string} id @param {string} name @param {unknown} value @returns {Change[]} */
export const setInput = (id, name, value) => [{ kind: "input", id, name, value }];

/** @param {Link} from @param {string} id @param {string} name @returns {Change[]} */
export const link = (from, id, name) => [{ kind: "input", id, name, value: { node: from.node, output: from.output } }];

/**
 * Join an output to an input: beside the links that are there, where the input takes several.
 * @param {Document} document
 * @param {Link} from
 * @param {string} id
 * @param {string} name
 * @param {NodeSpec} spec
 * @returns {Change[]}
 */
export function join(document, from, id, name, spec) {
  const input = spec.inputs.find((each) => each.name === name);
  const value = document.input(id, name);
  const there = linksOf(value);
  if (!input || !takesMany(input) || there.length === 0) return link(from, id, name);
  return [{ kind: "input", id, name, value: [...(Array.isArray(value) ? value : [value]), { node: from.node, output: from.output }] }];
}

/**
 * Take the links of an input away; one with a widget gets its default back.
 * @param {string} id
 * @param {string} name
 * @param {NodeSpec} spec
 * @returns {Change[]}
 */
export function unlink(id, name, spec) {
  const input = spec.inputs.find((candidate) => candidate.name === name);
  return [{ kind: "input", id, name, value: input?.widget ? initialValue(input, spec) : undefined }];
}

/**
 * Take one link of an input away.
 * @param {Document} document
 * @param {string} id
 * @param {string} name
 * @param {NodeSpec} spec
 * @param {Link} gone
 * @returns {Change[]}
 */
export function unlinkOne(document, id, name, spec, gone) {
  const there = linksOf(document.input(id, name));
  if (there.length < 2) return unlink(id, name, spec);
  const first = there.find((each) => each.node === gone.node && each.output === gone.output);
  return [relink(document, id, name, (each) => (each === first ? null : each))];
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
 * Put a node into a link; null when no input and output of it fit.
 * @param {Document} document
 * @param {string} id
 * @param {NodeSpec} spec
 * @param {{source: string, output: string, id: string, name: string, type: string}} wire
 * @param {string} target  type of the input the link leads to
 * @returns {Change[] | null}
 */
export function insertOnLink(document, id, spec, wire, target) {
  if (wire.source === id || wire.id === id) return null;
  const free = spec.inputs.filter((input) => fits(wire.type, input.type) && linksOf(document.input(id, input.name)).length === 0);
  const input = free.find((each) => each.type === wire.type && !each.widget) ?? free.find((each) => !each.widget) ?? free[0];
  const outputs = spec.outputs.filter((output) => fits(output.type, target));
  const output = outputs.find((each) => each.type === target) ?? outputs[0];
  if (!input || !output) return null;
  const from = { node: wire.source, output: wire.output };
  const redirect = (/** @type {Link} */ each) => (each.node === from.node && each.output === from.output ? { node: id, output: output.name } : each);
  return [...link(from, id, input.name), relink(document, wire.id, wire.name, redirect)];
}

/**
 * Make a node one of another kind. Values and links of inputs with the same name and a fitting type stay, then links
 * find an input of their type; links from outputs go to the output of the same name or type, else they go.
 * @param {Document} document
 * @param {string} id
 * @param {SpecOf} specOf
 * @param {NodeSpec} spec  of the other kind
 * @returns {Change[]}
 */
export function swapType(document, id, specOf, spec) {
  const old = specOf(id);
  const node = /** @type {NodeData} */ (document.nodes.get(id));
  const [fresh] = addNode(id, spec, { x: 0, y: 0 });
  /** @type {Record<string, unknown>} */
  const inputs = fresh.kind === "add" ? { ...fresh.node.inputs } : {};
  const typeOf = (/** @type {string} */ name) => old.inputs.find((input) => input.name === name)?.type ?? "Any";
  /** @type {[string, unknown][]} */
  const homeless = [];
  const taken = new Set();
  for (const [name, value] of Object.entries(node.inputs)) {
    const same = spec.inputs.find((input) => input.name === name && fits(typeOf(name), input.type));
    const alike = same?.widget && (inputs[name] === undefined || typeof value === typeof inputs[name]);
    if (same && (linksOf(value).length > 0 || alike)) {
      inputs[name] = value;
      taken.add(name);
    } else if (linksOf(value).length > 0) homeless.push([name, value]);
  }
  for (const [name, value] of homeless) {
    const home = spec.inputs.find((input) => !taken.has(input.name) && !input.widget && fits(typeOf(name), input.type));
    if (!home) continue;
    inputs[home.name] = value;
    taken.add(home.name);
  }
  const renamed = new Map(old.outputs.map((output) => {
    const fitting = spec.outputs.filter((each) => fits(output.type, each.type));
    return [output.name, (fitting.find((each) => each.name === output.name) ?? fitting[0])?.name ?? null];
  }));
  /** @type {Change[]} */
  const readers = [...document.readers(id)].map((end) =>
    relink(document, end.id, end.name, (each) => {
      const output = each.node === id ? renamed.get(each.output) : each.output;
      return output ? { node: each.node, output } : null;
    }),
  );
  const place = document.places.get(id) ?? { x: 0, y: 0 };
  return [...readers, { kind: "remove", id }, { kind: "add", id, node: { ...node, type: spec.id, inputs }, place }];
}

/** Set a field of several nodes. @param {Iterable<string>} ids @param {string} name @param {unknown} value @returns {Change[]} */
export const setField = (ids, name, value) => [...ids].map((id) => ({ kind: "field", id, name, value }));

/** Set or clear a field of the places of nodes: collapsed, pinned, colour. @param {Document} document @param {Iterable<string>} ids @param {string} name @param {unknown} value @returns {Change[]} */
export function setPlace(document, ids, name, value) {
  return [...ids].flatMap((id) => {
    const place = document.places.get(id);
    if (!place) return [];
    const { [name]: _, ...rest } = place;
    return [{ kind: "place", id, place: /** @type {Place} */ (value === undefined ? rest : { ...rest, [name]: value }) }];
  });
}
