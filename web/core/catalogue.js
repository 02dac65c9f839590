/** The node definitions: those the server offers, those every document has, and what can be read off a node whose kind is unknown. */

import { bodySpec, componentName, instanceSpec, isComponent } from "./components.js";
import { linksOf } from "./level.js";
import { localised } from "./naming.js";

/** @import {Document} from "./document.js" */
/** @import {InputSpec, Link, NodeData, NodeSpec, OutputSpec} from "./types.js" */

/** Port type of what only a missing definition could tell. */
const UNKNOWN_TYPE = "Any";

export const REROUTE = "Reroute";
export const NOTE = "Note";

/** Kinds of node that are not run: the engine leads links past them. @type {Readonly<Record<string, NodeSpec>>} */
const OF_DOCUMENTS = {
  [REROUTE]: {
    id: REROUTE, title: REROUTE, category: "document", doc: "", sink: false,
    inputs: [{ name: "value", type: UNKNOWN_TYPE, widget: null, required: true }],
    outputs: [{ name: "value", type: UNKNOWN_TYPE }],
  },
  [NOTE]: {
    id: NOTE, title: NOTE, category: "document", doc: "", sink: false,
    inputs: [{ name: "text", type: "str", widget: { kind: "Text", multiline: true }, default: "", required: false }],
    outputs: [],
  },
};

export class Catalogue {
  /** @type {ReadonlyMap<string, NodeSpec>} */
  specs;
  /** @type {Readonly<Record<string, readonly string[]>>} file names by models folder */
  models;
  /** Definitions made from a document, by their text, so that one that says the same is the same. @type {Map<string, NodeSpec>} */
  #made = new Map();
  /** Components being described, so that one within itself has an end. @type {Set<string>} */
  #describing = new Set();

  /** @param {Readonly<Record<string, NodeSpec>>} nodes @param {Readonly<Record<string, readonly string[]>>} models */
  constructor(nodes = {}, models = {}) {
    this.specs = new Map(Object.entries({ ...OF_DOCUMENTS, ...nodes }).map(([id, spec]) => [id, localised(spec)]));
    this.models = models;
  }

  /** @param {Document} document @param {string} id @param {string} level @returns {NodeSpec} */
  specOf(document, id, level = document.level) {
    const node = document.sheet(level).nodes.get(id);
    if (!node) throw new RangeError(`There is no node ${id}.`);
    if (node.type === REROUTE) return this.#same(rerouteSpec(this.typeOf(document, { node: id, output: "value" }, level)));
    const name = isComponent(node.type) ? componentName(node.type) : "";
    if (document.components.has(name) && !this.#describing.has(name)) return this.specOfComponent(document, name);
    const spec = this.specs.get(node.type);
    if (!spec) return missingSpec(document, id, node, level);
    const full = bodySpec(this, document, node, spec);
    return full === spec ? spec : this.#same(full);
  }

  /** What instances of a component look like. @param {Document} document @param {string} name @returns {NodeSpec} */
  specOfComponent(document, name) {
    this.#describing.add(name);
    try {
      return this.#same(instanceSpec(this, document, name));
    } finally {
      this.#describing.delete(name);
    }
  }

  /** @param {NodeSpec} spec */
  #same(spec) {
    const text = JSON.stringify(spec);
    const known = this.#made.get(text);
    if (!known) this.#made.set(text, spec);
    return known ?? spec;
  }

  /**
   * The type of value a link brings, seen through reroutes.
   * @param {Document} document
   * @param {Link} link
   * @param {string} level
   */
  typeOf(document, link, level = document.level) {
    const sheet = document.sheet(level);
    const seen = new Set();
    for (let at = link; ; ) {
      const node = sheet.nodes.get(at.node);
      if (!node || seen.has(at.node)) return UNKNOWN_TYPE;
      if (node.type !== REROUTE) {
        return this.specOf(document, at.node, level).outputs.find((output) => output.name === at.output)?.type ?? UNKNOWN_TYPE;
      }
      seen.add(at.node);
      const [next] = linksOf(node.inputs.value);
      if (!next) return UNKNOWN_TYPE;
      at = next;
    }
  }

  /** The names a combo offers: the models folder as it is now, else the widget's own list. @param {InputSpec} input */
  options(input) {
    const folder = input.widget?.folder;
    return (folder !== undefined && Object.hasOwn(this.models, folder) ? this.models[folder] : input.widget?.options) ?? [];
  }
}

/** @param {string} type @returns {NodeSpec} */
function rerouteSpec(type) {
  const { inputs, outputs, ...rest } = OF_DOCUMENTS[REROUTE];
  return { ...rest, inputs: [{ ...inputs[0], type }], outputs: [{ ...outputs[0], type }] };
}

/**
 * @param {Document} document
 * @param {string} id
 * @param {NodeData} node
 * @param {string} level
 * @returns {NodeSpec}
 */
function missingSpec(document, id, node, level) {
  const inputs = Object.entries(node.inputs).map(([name, value]) => missingInput(name, value));
  /** @type {Set<string>} */
  const read = new Set();
  const sheet = document.sheet(level);
  for (const reader of sheet.readers(id)) {
    for (const link of linksOf(sheet.input(reader.id, reader.name))) if (link.node === id) read.add(link.output);
  }
  /** @type {OutputSpec[]} */
  const outputs = [...read].sort().map((name) => ({ name, type: UNKNOWN_TYPE }));
  return { id: node.type, title: node.type, category: "", doc: "", sink: false, inputs, outputs, missing: true };
}

/** @param {string} name @param {unknown} value @returns {InputSpec} */
function missingInput(name, value) {
  const base = { name, required: false };
  if (typeof value === "number") return { ...base, type: "float", widget: { kind: "Number" } };
  if (typeof value === "boolean") return { ...base, type: "bool", widget: { kind: "Toggle" } };
  if (typeof value === "string") return { ...base, type: "str", widget: { kind: "Text", multiline: value.length > 40 } };
  return { ...base, type: UNKNOWN_TYPE, widget: null };
}
