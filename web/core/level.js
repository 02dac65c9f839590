/** One sheet of a workflow, its own or that of a component: nodes by id, where they lie, the frames around them, and who reads whom. */

/** @import {Frame, Link, NodeData, Place} from "./types.js" */
/** @typedef {{id: string, name: string}} End  of a link: an input of a node */

/**
 * @param {unknown} value
 * @returns {value is Link}
 */
export function isLink(value) {
  if (typeof value !== "object" || value === null) return false;
  const keys = Object.keys(value);
  const link = /** @type {Record<string, unknown>} */ (value);
  return keys.length === 2 && typeof link.node === "string" && typeof link.output === "string";
}

/** The links of an input: one, or those of a list. @param {unknown} value @returns {readonly Link[]} */
export function linksOf(value) {
  if (isLink(value)) return [value];
  return Array.isArray(value) ? value.filter(isLink) : NONE;
}

/** @type {readonly Link[]} */
const NONE = [];

/** @param {unknown} value @returns {value is Record<string, unknown>} */
export const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {Readonly<Record<string, unknown>>} record @param {string} key */
export const own = (record, key) => (Object.hasOwn(record, key) ? record[key] : undefined);

/** The record with a field set, or without it when the value is undefined. @param {Readonly<Record<string, unknown>>} record @param {string} key @param {unknown} value */
export function withField(record, key, value) {
  if (value !== undefined) return { ...record, [key]: value };
  const { [key]: _, ...rest } = record;
  return rest;
}

export class Level {
  /** @type {Map<string, NodeData>} */
  nodes = new Map();
  /** @type {Map<string, Place>} */
  places = new Map();
  /** @type {Map<string, Frame>} */
  frames = new Map();
  /** Fields of its view that are not known here. @type {Record<string, unknown>} */
  viewRest = {};
  /** The largest number that was ever the id of a node here. */
  #largest = 0;
  /** Who reads a node: source id -> "target\0input" -> end of the link. @type {Map<string, Map<string, End>>} */
  #readers = new Map();

  /** @param {string} id @param {string} name @returns {unknown} */
  input(id, name) {
    const node = this.nodes.get(id);
    return node && own(node.inputs, name);
  }

  /** The inputs that read a node's outputs. @param {string} id @returns {Iterable<End>} */
  readers(id) {
    return this.#readers.get(id)?.values() ?? [];
  }

  /** An id that no node has or had, so that what is known of one that was deleted is never taken for another's. */
  freeId() {
    return String(this.#largest + 1);
  }

  /** Free ids for frames: "a", "b" ... "z", "aa": no numbers, so that they are never taken for nodes'. @param {number} count */
  freeFrameIds(count) {
    /** @type {string[]} */
    const free = [];
    for (let number = 1; free.length < count; number++) {
      let id = "";
      for (let rest = number; rest > 0; rest = Math.floor((rest - 1) / 26)) id = String.fromCharCode(97 + ((rest - 1) % 26)) + id;
      if (!this.frames.has(id)) free.push(id);
    }
    return free;
  }

  /** @param {string} id @param {NodeData | undefined} node  undefined: none */
  setNode(id, node) {
    const before = this.nodes.get(id);
    if (before) this.#index(id, before, false);
    if (node) {
      if (/^\d{1,9}$/.test(id)) this.#largest = Math.max(this.#largest, Number(id));
      this.nodes.set(id, node);
      this.#index(id, node, true);
    } else this.nodes.delete(id);
  }

  /** The view as it is saved, in a stable order. @param {readonly string[]} ids */
  viewJSON(ids) {
    const frames = [...this.frames].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      ...this.viewRest,
      nodes: Object.fromEntries(ids.filter((id) => this.places.has(id)).map((id) => [id, this.places.get(id)])),
      ...(frames.length > 0 ? { frames: Object.fromEntries(frames) } : {}),
    };
  }

  /** Ids of the nodes in a stable order. */
  sortedIds() {
    return [...this.nodes.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }) || (a < b ? -1 : 1));
  }

  /** Read what `viewJSON` wrote. @param {unknown} json */
  readView(json) {
    const { nodes, frames, ...rest } = isRecord(json) ? json : {};
    this.viewRest = rest;
    for (const [id, place] of Object.entries(isRecord(nodes) ? nodes : {})) {
      if (this.nodes.has(id) && isPoint(place)) this.places.set(id, /** @type {Place} */ (place));
    }
    for (const [id, frame] of Object.entries(isRecord(frames) ? frames : {})) {
      if (isPoint(frame) && Number.isFinite(frame.w) && Number.isFinite(frame.h)) this.frames.set(id, /** @type {any} */ (frame));
    }
  }

  /** @param {string} id @param {NodeData} node @param {boolean} present */
  #index(id, node, present) {
    for (const [name, value] of Object.entries(node.inputs)) {
      for (const link of linksOf(value)) {
        const key = `${id}\0${name}`;
        const readers = this.#readers.get(link.node);
        if (present) {
          if (readers) readers.set(key, { id, name });
          else this.#readers.set(link.node, new Map([[key, { id, name }]]));
        } else if (readers) {
          readers.delete(key);
          if (readers.size === 0) this.#readers.delete(link.node);
        }
      }
    }
  }
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isPoint = (value) => isRecord(value) && Number.isFinite(value.x) && Number.isFinite(value.y);
