/** Nodes out of a workflow and into one: what copy, paste and duplicate are made of. */

import { addComponent, freeName, usableIn, usedBy } from "./components.js";
import { BadDocument, Document } from "./document.js";
import { housed } from "./frames.js";
import { isLink, linksOf } from "./level.js";

/** @import {Change} from "./document.js" */
/** @import {Frame, Link, NodeData, Place, Point} from "./types.js" */

/** Field of a copied part's `view`: links from outside it, to be made again where their source is still there. */
const OUTSIDE = "outside";

/**
 * Part of a sheet as a workflow of its own, with the components it uses and the frames that lie wholly in it. Links
 * from outside are in its view.
 * @param {Document} document
 * @param {Iterable<string>} ids
 */
export function extract(document, ids) {
  const kept = new Set(ids);
  const part = new Document();
  /** @type {Record<string, Record<string, unknown>>} */
  const outside = {};
  /** @type {Change[]} */
  const changes = [];
  for (const id of kept) {
    const node = document.nodes.get(id);
    if (!node) continue;
    const inputs = Object.entries(node.inputs).map(([name, value]) => [name, kept_(value, kept)]).filter(([, value]) => value !== undefined);
    for (const [name, value] of Object.entries(node.inputs)) {
      if (linksOf(value).some((link) => !kept.has(link.node))) (outside[id] ??= {})[name] = value;
    }
    changes.push({ kind: "add", id, node: { ...node, inputs: Object.fromEntries(inputs) }, place: document.places.get(id) ?? { x: 0, y: 0 } });
  }
  for (const id of framesWithin(document, kept)) changes.push({ kind: "frame", id, frame: document.frames.get(id) });
  const used = usedBy(document, [...kept].flatMap((id) => document.nodes.get(id) ?? []));
  for (const name of used) changes.push(...addComponent(name, document.component(name)));
  part.apply(changes);
  const json = part.toJSON();
  return Object.keys(outside).length > 0 ? { ...json, view: { ...json.view, [OUTSIDE]: outside } } : json;
}

/** A value without its links from outside. @param {unknown} value @param {ReadonlySet<string>} kept */
function kept_(value, kept) {
  if (isLink(value)) return kept.has(value.node) ? value : undefined;
  if (!Array.isArray(value)) return value;
  const left = value.filter((item) => !isLink(item) || kept.has(item.node));
  return left.length > 0 || value.length === 0 ? left : undefined;
}

/** Frames that have members, all of them kept. @param {Document} document @param {ReadonlySet<string>} kept */
function framesWithin(document, kept) {
  /** @type {Map<string, boolean>} */
  const whole = new Map();
  const note = (/** @type {string | undefined} */ frame, /** @type {boolean} */ inside) => {
    const seen = new Set();
    for (let at = frame; at !== undefined && !seen.has(at); at = document.frames.get(at)?.frame) {
      seen.add(at);
      whole.set(at, (whole.get(at) ?? true) && inside);
    }
  };
  for (const [id, place] of document.places) note(place.frame, kept.has(id));
  return [...document.frames.keys()].filter((id) => whole.get(id) === true);
}

/**
 * Add another workflow's nodes under fresh ids, its top left corner at a point. With `outside`, they also read what
 * they read where they were copied, as far as it is there.
 * @param {Document} document
 * @param {unknown} json
 * @param {Point} at
 * @param {boolean} outside
 * @returns {{changes: Change[], ids: string[]}}
 */
export function insert(document, json, at, outside = false) {
  const part = Document.from(json);
  if (part.nodes.size === 0) throw new BadDocument("There is no node in this workflow.");
  let next = Number(document.freeId());
  const ids = new Map([...part.nodes.keys()].map((id) => [id, String(next++)]));
  const { changes, renamed } = componentsOf(document, part);
  const corner = cornerOf(part);
  const move = (/** @type {Point} */ point) => ({ x: point.x - corner.x + at.x, y: point.y - corner.y + at.y });
  const free = document.sheet(document.level).freeFrameIds(part.frames.size);
  const frames = new Map([...part.frames.keys()].map((id, index) => [id, free[index]]));
  const missing = /** @type {Record<string, Record<string, unknown>>} */ ((outside && part.sheet("").viewRest[OUTSIDE]) || {});
  for (const [id, node] of part.nodes) {
    const inputs = Object.entries({ ...node.inputs, ...(Object.hasOwn(missing, id) ? missing[id] : {}) })
      .map(([name, value]) => [name, relabelled(value, ids, renamed, (link) => outside && document.nodes.has(link.node))])
      .filter(([, value]) => value !== undefined);
    const place = part.places.get(id) ?? { x: 0, y: 0 };
    const type = retyped(node.type, renamed);
    const into = inHome(document, { ...framed(place, frames), ...move(place) }, 0);
    changes.push({ kind: "add", id: /** @type {string} */ (ids.get(id)), node: { ...node, type, inputs: Object.fromEntries(inputs) }, place: into });
  }
  for (const [id, frame] of part.frames) {
    changes.push({ kind: "frame", id: /** @type {string} */ (frames.get(id)), frame: inHome(document, { ...framed(frame, frames), ...move(frame) }, frame.w * frame.h) });
  }
  return { changes, ids: [...ids.values()] };
}

/**
 * The components a part brings: one that is there and the same, with all it uses, is used where it may be; any other of
 * the same name gets another.
 * @param {Document} document
 * @param {Document} part
 */
function componentsOf(document, part) {
  /** @type {Map<string, string>} */
  const renamed = new Map();
  const usable = new Set(usableIn(document));
  const same = (/** @type {string} */ name) => usable.has(name) && JSON.stringify(part.component(name)) === JSON.stringify(document.component(name));
  for (const name of part.components.keys()) {
    const taken = (/** @type {string} */ other) => document.components.has(other) || [...renamed.values()].includes(other);
    const whole = [name, ...usedBy(part, part.sheet(name).nodes.values())].every(same);
    renamed.set(name, whole ? name : freeName(name, taken));
  }
  /** @type {Change[]} */
  const changes = [];
  for (const [name, fresh] of renamed) {
    if (document.components.has(fresh)) continue;
    const definition = part.component(name);
    const nodes = Object.entries(definition.nodes).map(([id, node]) => {
      const { type, inputs } = /** @type {NodeData} */ (node);
      const moved = Object.entries(inputs).map(([input, value]) => [input, renamedBody(value, renamed)]);
      return [id, { .../** @type {NodeData} */ (node), type: retyped(type, renamed), inputs: Object.fromEntries(moved) }];
    });
    changes.push(...addComponent(fresh, { ...definition, nodes: Object.fromEntries(nodes) }));
  }
  return { changes, renamed };
}

/** @param {string} type @param {ReadonlyMap<string, string>} renamed */
function retyped(type, renamed) {
  const prefix = "component:";
  return type.startsWith(prefix) ? prefix + (renamed.get(type.slice(prefix.length)) ?? type.slice(prefix.length)) : type;
}

/** @param {unknown} value @param {ReadonlyMap<string, string>} renamed */
function renamedBody(value, renamed) {
  const name = /** @type {{component?: unknown} | null} */ (value)?.component;
  return typeof name === "string" && renamed.has(name) ? { component: renamed.get(name) } : value;
}

/**
 * @param {unknown} value
 * @param {ReadonlyMap<string, string>} ids
 * @param {ReadonlyMap<string, string>} renamed
 * @param {(link: Link) => boolean} keeps  a link from outside
 */
function relabelled(value, ids, renamed, keeps) {
  const one = (/** @type {Link} */ link) => {
    const node = ids.get(link.node);
    if (node !== undefined) return { node, output: link.output };
    return keeps(link) ? link : undefined;
  };
  if (isLink(value)) return one(value);
  if (!Array.isArray(value)) return renamedBody(value, renamed);
  const left = value.map((item) => (isLink(item) ? one(item) : item)).filter((item) => item !== undefined);
  return left.length > 0 || value.length === 0 ? left : undefined;
}

/** In the frame it was in, else in the one it comes to lie in. @template {Place | Frame} T @param {Document} document @param {T} thing @param {number} area @returns {T} */
const inHome = (document, thing, area) => (thing.frame === undefined ? housed(document, thing, { w: thing.w ?? 0, h: thing.h ?? 0 }, area) : thing);

/** @template {Place | Frame} T @param {T} thing @param {ReadonlyMap<string, string>} frames @returns {T} */
function framed(thing, frames) {
  const { frame, ...rest } = thing;
  const inside = frame === undefined ? undefined : frames.get(frame);
  return /** @type {T} */ (inside === undefined ? rest : { ...rest, frame: inside });
}

/** The top left corner of all nodes and frames. @param {Document} part @returns {Point} */
export function cornerOf(part) {
  const points = [...[...part.nodes.keys()].map((id) => part.places.get(id) ?? { x: 0, y: 0 }), ...part.frames.values()];
  return { x: Math.min(...points.map((point) => point.x)), y: Math.min(...points.map((point) => point.y)) };
}
