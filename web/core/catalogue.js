/** The node definitions the server offers. A node whose kind is not among them still gets a spec, read off the node itself. */

import { isLink } from "./document.js";

/** @import {Document} from "./document.js" */
/** @import {InputSpec, NodeData, NodeSpec, OutputSpec} from "./types.js" */

/** Port type of what only a missing definition could tell. */
const UNKNOWN_TYPE = "Any";

export class Catalogue {
  /** @type {ReadonlyMap<string, NodeSpec>} */
  specs;
  /** @type {Readonly<Record<string, readonly string[]>>} file names by models folder */
  models;

  /** @param {Readonly<Record<string, NodeSpec>>} nodes @param {Readonly<Record<string, readonly string[]>>} models */
  constructor(nodes = {}, models = {}) {
    this.specs = new Map(Object.entries(nodes));
    this.models = models;
  }

  /** @param {Document} document @param {string} id @returns {NodeSpec} */
  specOf(document, id) {
    const node = document.nodes.get(id);
    if (!node) throw new RangeError(`There is no node ${id}.`);
    return this.specs.get(node.type) ?? missingSpec(document, id, node);
  }

  /** The names a combo offers: the models folder as it is now, else the widget's own list. @param {InputSpec} input */
  options(input) {
    const folder = input.widget?.folder;
    return (folder !== undefined && Object.hasOwn(this.models, folder) ? this.models[folder] : input.widget?.options) ?? [];
  }
}

/**
 * @param {Document} document
 * @param {string} id
 * @param {NodeData} node
 * @returns {NodeSpec}
 */
function missingSpec(document, id, node) {
  const inputs = Object.entries(node.inputs).map(([name, value]) => missingInput(name, value));
  /** @type {Set<string>} */
  const read = new Set();
  for (const reader of document.readers(id)) {
    const value = document.input(reader.id, reader.name);
    if (isLink(value)) read.add(value.output);
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
