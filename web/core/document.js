/**
 * The workflow being edited: nodes by id, where they lie, and an index of who reads whom. It changes only by `apply`,
 * which takes Changes and gives back the Changes that undo them. Fields it does not know round-trip unchanged.
 */

/** @import {Link, NodeData, Place} from "./types.js" */

/**
 * @typedef {{kind: "add", id: string, node: NodeData, place: Place}
 *   | {kind: "remove", id: string}
 *   | {kind: "input", id: string, name: string, value: unknown}
 *   | {kind: "title", id: string, title: string | undefined}
 *   | {kind: "place", id: string, place: Place}} Change  an input's value `undefined` means: not set
 */

const FORMAT_VERSION = 1;

export class BadDocument extends Error {}

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

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {Readonly<Record<string, unknown>>} record @param {string} key */
export const own = (record, key) => (Object.hasOwn(record, key) ? record[key] : undefined);

/** @param {Readonly<Record<string, unknown>>} record @param {string} key @param {unknown} value */
function withField(record, key, value) {
  if (value !== undefined) return { ...record, [key]: value };
  const { [key]: _, ...rest } = record;
  return rest;
}

export class Document {
  /** @type {Map<string, NodeData>} */
  nodes = new Map();
  /** @type {Map<string, Place>} */
  places = new Map();
  /** Who reads a node: source id -> "target\0input" -> end of the link. @type {Map<string, Map<string, {id: string, name: string}>>} */
  #readers = new Map();
  /** @type {Record<string, unknown>} */
  #rest = {};
  /** @type {Record<string, unknown>} */
  #viewRest = {};

  /**
   * Read a saved workflow. Throws BadDocument naming the first thing that is not as the format says.
   * @param {unknown} json
   */
  static from(json) {
    if (!isRecord(json)) throw new BadDocument("A workflow is a JSON object; this is not one.");
    if (!isRecord(json.nodes)) throw new BadDocument('A workflow has a "nodes" object; this file has none.');
    const version = json.version ?? FORMAT_VERSION;
    if (typeof version !== "number" || version > FORMAT_VERSION) {
      throw new BadDocument(`This workflow has format version ${String(version)}; this page reads up to ${FORMAT_VERSION}.`);
    }
    const document = new Document();
    const { nodes, view, ...rest } = json;
    document.#rest = rest;
    const { nodes: placesJson, ...viewRest } = isRecord(view) ? view : {};
    document.#viewRest = viewRest;
    const places = isRecord(placesJson) ? placesJson : {};
    for (const [id, node] of Object.entries(nodes)) {
      if (!isRecord(node) || typeof node.type !== "string") {
        throw new BadDocument(`Node ${id} has no "type".`);
      }
      const inputs = isRecord(node.inputs) ? node.inputs : {};
      document.#put(id, /** @type {NodeData} */ ({ ...node, inputs }));
      const place = own(places, id);
      if (isRecord(place) && Number.isFinite(place.x) && Number.isFinite(place.y)) {
        document.places.set(id, /** @type {Place} */ (place));
      }
    }
    return document;
  }

  /** The saved form, nodes in a stable order. */
  toJSON() {
    const ids = [...this.nodes.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    return {
      ...this.#rest,
      version: FORMAT_VERSION,
      nodes: Object.fromEntries(ids.map((id) => [id, this.nodes.get(id)])),
      view: {
        ...this.#viewRest,
        nodes: Object.fromEntries(ids.filter((id) => this.places.has(id)).map((id) => [id, this.places.get(id)])),
      },
    };
  }

  /** @param {string} id @param {string} name @returns {unknown} */
  input(id, name) {
    const node = this.nodes.get(id);
    return node && own(node.inputs, name);
  }

  /** The inputs that read a node's outputs. @param {string} id @returns {Iterable<{id: string, name: string}>} */
  readers(id) {
    return this.#readers.get(id)?.values() ?? [];
  }

  /** A free id: one more than the largest number in use. */
  freeId() {
    let largest = 0;
    for (const id of this.nodes.keys()) if (/^\d{1,9}$/.test(id)) largest = Math.max(largest, Number(id));
    return String(largest + 1);
  }

  /**
   * Apply changes in order. Returns what undoes them, in the order to apply, and the ids of nodes that look different.
   * @param {readonly Change[]} changes
   * @returns {{inverse: Change[], touched: Set<string>}}
   */
  apply(changes) {
    /** @type {Change[]} */
    const inverse = [];
    /** @type {Set<string>} */
    const touched = new Set();
    for (const change of changes) {
      inverse.push(this.#applyOne(change));
      touched.add(change.id);
    }
    return { inverse: inverse.reverse(), touched };
  }

  /** @param {Change} change @returns {Change} */
  #applyOne(change) {
    const { id } = change;
    if (change.kind === "add") {
      if (this.nodes.has(id)) throw new BadDocument(`Node ${id} is already there.`);
      this.#put(id, change.node);
      this.places.set(id, change.place);
      return { kind: "remove", id };
    }
    const node = this.nodes.get(id);
    if (!node) throw new BadDocument(`There is no node ${id}.`);
    const place = this.places.get(id) ?? { x: 0, y: 0 };
    switch (change.kind) {
      case "remove":
        this.#drop(id);
        return { kind: "add", id, node, place };
      case "input":
        this.#put(id, { ...node, inputs: withField(node.inputs, change.name, change.value) });
        return { kind: "input", id, name: change.name, value: own(node.inputs, change.name) };
      case "title":
        this.#put(id, /** @type {NodeData} */ (withField(node, "title", change.title)));
        return { kind: "title", id, title: node.title };
      case "place":
        this.places.set(id, change.place);
        return { kind: "place", id, place };
    }
  }

  /** @param {string} id @param {NodeData} node */
  #put(id, node) {
    const before = this.nodes.get(id);
    if (before) this.#index(id, before, false);
    this.nodes.set(id, node);
    this.#index(id, node, true);
  }

  /** @param {string} id */
  #drop(id) {
    const node = this.nodes.get(id);
    if (node) this.#index(id, node, false);
    this.nodes.delete(id);
    this.places.delete(id);
  }

  /** @param {string} id @param {NodeData} node @param {boolean} present */
  #index(id, node, present) {
    for (const [name, value] of Object.entries(node.inputs)) {
      if (!isLink(value)) continue;
      const key = `${id}\0${name}`;
      const readers = this.#readers.get(value.node);
      if (present) {
        if (readers) readers.set(key, { id, name });
        else this.#readers.set(value.node, new Map([[key, { id, name }]]));
      } else if (readers) {
        readers.delete(key);
        if (readers.size === 0) this.#readers.delete(value.node);
      }
    }
  }
}
