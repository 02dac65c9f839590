/**
 * The workflow being edited: its own sheet of nodes, a sheet for each component, and its interface. One sheet is on the
 * table; what is asked of the document is about that one. It changes only by `apply`, which takes Changes and gives back
 * a Patch: what each thing was before and is now, to be undone and done again. Fields it does not know round-trip.
 */

import { isLink, isRecord, Level, linksOf, own, withField } from "./level.js";
import { t } from "./strings.js";
import { unswept } from "./sweep.js";

/** @import {Frame, InterfacePort, NodeData, Place, ComponentPorts} from "./types.js" */

export { isLink, linksOf, own };

/**
 * A change to the sheet called `level`: a component's name, or "" (also when left out) for the workflow's own.
 * @typedef {({kind: "add", id: string, node: NodeData, place: Place}
 *   | {kind: "remove", id: string}
 *   | {kind: "input", id: string, name: string, value: unknown}
 *   | {kind: "field", id: string, name: string, value: unknown}
 *   | {kind: "place", id: string, place: Place}
 *   | {kind: "frame", id: string, frame: Frame | undefined}
 *   | {kind: "component", id: string, ports: ComponentPorts | undefined}
 *   | {kind: "interface", ports: readonly InterfacePort[]}) & {level?: string}} Change  a value `undefined` means: not there
 * @typedef {{hash: string, size: number}} FileFact  of its content
 * @typedef {"nodes" | "places" | "frames" | "components" | "interface"} Table
 * @typedef {{level: string, table: Table, id: string, before: unknown, after: unknown}} Write
 * @typedef {Map<string, Write>} Patch  one Write for each thing that changed
 */

const FORMAT_VERSION = 1;
const ROOT = "";

export class BadDocument extends Error {}

export class Document {
  /** Ports of the components by name; their nodes are in the level of that name. @type {Map<string, ComponentPorts>} */
  components = new Map();
  /** The inputs that the workflow shows to those who only fill it in. @type {readonly InterfacePort[]} */
  interface = [];
  /** Name of the component whose sheet is on the table; "" for the workflow's own. */
  level = ROOT;
  /** @type {Map<string, Level>} */
  #levels = new Map([[ROOT, new Level()]]);
  /** @type {Record<string, unknown>} */
  #rest = {};

  /**
   * Read a saved workflow; of one that runs a sweep, the one that was swept. Throws BadDocument naming the first thing that
   * is not as the format says.
   * @param {unknown} saved
   */
  static from(saved) {
    const json = unswept(saved);
    if (!isRecord(json) || !isRecord(json.nodes)) throw new BadDocument(t("app.noWorkflow"));
    const version = json.version ?? FORMAT_VERSION;
    if (typeof version !== "number" || version > FORMAT_VERSION) {
      throw new BadDocument(t("app.newer", { version: String(version), known: FORMAT_VERSION }));
    }
    const document = new Document();
    const { nodes, view, components, interface: ports, ...rest } = json;
    document.#rest = rest;
    readLevel(document.sheet(ROOT), nodes, view, "Node");
    for (const [name, definition] of Object.entries(isRecord(components) ? components : {})) {
      if (!isRecord(definition)) throw new BadDocument(`Component ${name} is not an object.`);
      const { nodes: inner, view: innerView, ...header } = definition;
      document.components.set(name, { ...header, inputs: listOf(header.inputs), outputs: listOf(header.outputs) });
      readLevel(document.sheet(name), isRecord(inner) ? inner : {}, innerView, `Component ${name}: node`);
    }
    document.interface = listOf(ports);
    return document;
  }

  /** Whether a port of a node of this sheet is a port of its component, too. @param {string} id @param {string} side @param {string} name */
  isShown(id, side, name) {
    const { inputs, outputs } = this.components.get(this.level) ?? { inputs: [], outputs: [] };
    return side === "input" ? inputs.some((port) => port.node === id && port.input === name) : outputs.some((port) => port.node === id && port.output === name);
  }

  /** What was noted of the files it names when it was saved, by "folder/name". @returns {Readonly<Record<string, FileFact>>} */
  get files() {
    return isRecord(this.#rest.files) ? /** @type {Record<string, FileFact>} */ (this.#rest.files) : {};
  }

  /** The saved form, everything in a stable order. */
  toJSON() {
    const root = this.sheet(ROOT);
    const ids = root.sortedIds();
    const components = [...this.components.keys()].sort().map((name) => [name, this.component(name)]);
    return {
      ...this.#rest,
      version: FORMAT_VERSION,
      nodes: Object.fromEntries(ids.map((id) => [id, root.nodes.get(id)])),
      ...(components.length > 0 ? { components: Object.fromEntries(components) } : {}),
      ...(this.interface.length > 0 ? { interface: this.interface } : {}),
      view: root.viewJSON(ids),
    };
  }

  /** A component as it is saved. @param {string} name */
  component(name) {
    const sheet = this.sheet(name);
    const ids = sheet.sortedIds();
    return { ...this.components.get(name), nodes: Object.fromEntries(ids.map((id) => [id, sheet.nodes.get(id)])), view: sheet.viewJSON(ids) };
  }

  /** The sheet of a component, or the workflow's own. @param {string} name */
  sheet(name) {
    const known = this.#levels.get(name);
    if (known) return known;
    const level = new Level();
    this.#levels.set(name, level);
    return level;
  }

  get nodes() {
    return this.sheet(this.level).nodes;
  }

  get places() {
    return this.sheet(this.level).places;
  }

  get frames() {
    return this.sheet(this.level).frames;
  }

  /** @param {string} id @param {string} name @returns {unknown} */
  input(id, name) {
    return this.sheet(this.level).input(id, name);
  }

  /** The inputs that read a node's outputs. @param {string} id */
  readers(id) {
    return this.sheet(this.level).readers(id);
  }

  freeId() {
    return this.sheet(this.level).freeId();
  }

  /**
   * Apply changes in order, all or none. Throws BadDocument when one does not fit.
   * @param {readonly Change[]} changes
   * @returns {Patch}
   */
  apply(changes) {
    /** @type {Patch} */
    const patch = new Map();
    try {
      for (const change of changes) this.#apply(change, patch);
    } catch (error) {
      this.revert(patch);
      throw error;
    }
    return patch;
  }

  /** Put back what a patch changed. @param {Patch} patch */
  revert(patch) {
    for (const write of patch.values()) this.#write(write.level, write.table, write.id, write.before);
  }

  /** Do again what a patch did. @param {Patch} patch */
  replay(patch) {
    for (const write of patch.values()) this.#write(write.level, write.table, write.id, write.after);
  }

  /** @param {Change} change @param {Patch} patch */
  #apply(change, patch) {
    const level = change.level ?? ROOT;
    const sheet = this.sheet(level);
    const set = (/** @type {Table} */ table, /** @type {string} */ id, /** @type {unknown} */ after) => {
      const key = `${level}\0${table}\0${id}`;
      const before = this.#write(level, table, id, after);
      const known = patch.get(key);
      if (known) known.after = after;
      else patch.set(key, { level, table, id, before, after });
    };
    if (change.kind === "interface") return set("interface", "", change.ports);
    if (change.kind === "component") return set("components", change.id, change.ports);
    if (change.kind === "frame") return set("frames", change.id, change.frame);
    const { id } = change;
    const node = sheet.nodes.get(id);
    if (change.kind === "add") {
      if (node) throw new BadDocument(`Node ${id} is already there.`);
      set("nodes", id, change.node);
      return set("places", id, change.place);
    }
    if (!node) throw new BadDocument(`There is no node ${id}.`);
    switch (change.kind) {
      case "remove":
        set("nodes", id, undefined);
        return set("places", id, undefined);
      case "input":
        return set("nodes", id, { ...node, inputs: withField(node.inputs, change.name, change.value) });
      case "field":
        return set("nodes", id, withField(node, change.name, change.value));
      case "place":
        return set("places", id, change.place);
    }
  }

  /** @param {string} level @param {Table} table @param {string} id @param {any} value @returns {unknown} what was there */
  #write(level, table, id, value) {
    if (table === "interface") {
      const before = this.interface;
      this.interface = value;
      return before;
    }
    const sheet = this.sheet(level);
    const map = /** @type {Map<string, unknown>} */ (table === "components" ? this.components : sheet[table]);
    const before = map.get(id);
    if (table === "nodes") sheet.setNode(id, value);
    else if (value === undefined) map.delete(id);
    else map.set(id, value);
    return before;
  }
}

/** @param {Level} level @param {Record<string, unknown>} nodes @param {unknown} view @param {string} what */
function readLevel(level, nodes, view, what) {
  for (const [id, node] of Object.entries(nodes)) {
    if (!isRecord(node) || typeof node.type !== "string") throw new BadDocument(`${what} ${id} has no "type".`);
    level.setNode(id, /** @type {NodeData} */ ({ ...node, inputs: isRecord(node.inputs) ? node.inputs : {} }));
  }
  level.readView(view);
}

/** @param {unknown} value @returns {any[]} */
const listOf = (value) => (Array.isArray(value) ? value : []);
