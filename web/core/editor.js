/** The workflow on the table: document, history, laid-out scene and selection, and the edits a person makes to them. */

import { Catalogue, NOTE, REROUTE } from "./catalogue.js";
import { cornerOf, extract, insert } from "./clip.js";
import { componentName, isComponent } from "./components.js";
import { matchingPort, refusal } from "./connect.js";
import { Document, linksOf } from "./document.js";
import * as edits from "./edits.js";
import { housed } from "./frames.js";
import { layoutOf, REROUTE_SIZE, STATUS } from "./geometry.js";
import { union } from "./grid.js";
import { History } from "./history.js";
import { arrange } from "./layout.js";
import { forgotten, removal } from "./removal.js";
import { Scene } from "./scene.js";
import { freeSpot } from "./spot.js";
import { batch, signal } from "./store.js";
import { snapped } from "./tidy.js";

/** @import {Change, Patch} from "./document.js" */
/** @import {NodeSpec, Point, PortRef} from "./types.js" */
/** @typedef {(touched: ReadonlySet<string> | null, content: boolean) => void} Watcher  null: everything */
/** @typedef {{instance: string, component: string}} Step  into a component, by one of its instances */
/**
 * A workflow that can be put on the table and taken off it, as a tab is.
 * @typedef {{document: Document, history: History, scene: Scene, catalogue: Catalogue, path: readonly Step[],
 *            selection: ReadonlySet<string>}} Desk
 */

const DUPLICATE_OFFSET = 32;
/** A pause in typing after which undo stops, in milliseconds. */
const PAUSE = 1500;

export class Editor {
  document = new Document();
  catalogue = new Catalogue();
  history = new History(this.document);
  scene = new Scene(this.document, this.catalogue);
  /** Ids of the selected nodes. @type {import("./store.js").Signal<ReadonlySet<string>>} */
  selection = signal(/** @type {ReadonlySet<string>} */ (new Set()));
  /** Key of the selected link. */
  selectedWire = signal(/** @type {string | null} */ (null));
  /** Id of the selected frame. */
  selectedFrame = signal(/** @type {string | null} */ (null));
  /** How the sheet on the table was reached from the workflow's own. @type {import("./store.js").Signal<readonly Step[]>} */
  path = signal(/** @type {readonly Step[]} */ ([]));
  /** Counts edits; read it to follow `history` and `document`. */
  version = signal(0);
  #typed = 0;
  /** @type {Set<Watcher>} */
  #watchers = new Set();

  /** Be told which nodes look different, and whether more than their place changed. @param {Watcher} watcher */
  watch(watcher) {
    this.#watchers.add(watcher);
  }

  /** Put another workflow on the table, with a history of its own. @param {unknown} json */
  open(json) {
    const document = Document.from(json);
    this.put({ document, history: new History(document), scene: new Scene(document, this.catalogue), catalogue: this.catalogue, path: [], selection: new Set() });
  }

  /** What is on the table, to be put back later. @returns {Desk} */
  desk() {
    const { document, history, scene, catalogue } = this;
    return { document, history, scene, catalogue, path: this.path.peek(), selection: this.selection.peek() };
  }

  /** Put a workflow on the table as it was taken off. @param {Desk} desk */
  put(desk) {
    this.document = desk.document;
    this.history = desk.history;
    this.scene = desk.scene;
    if (desk.catalogue !== this.catalogue) this.#rebuild();
    this.#placeStrays();
    this.#show(desk.path, desk.selection);
    this.#tell(null, true);
  }

  /** @param {Catalogue} catalogue */
  setCatalogue(catalogue) {
    this.catalogue = catalogue;
    this.#rebuild();
    this.version.value += 1;
    this.#tell(null, false);
  }

  /** Go into the component of an instance, or the component of that name. @param {string} instance */
  enter(instance) {
    const node = this.document.nodes.get(instance);
    if (!node || !isComponent(node.type) || !this.document.components.has(componentName(node.type))) return;
    this.#go([...this.path.peek(), { instance, component: componentName(node.type) }], []);
  }

  /** Go out again, until that many steps are left. @param {number} depth */
  leave(depth = this.path.peek().length - 1) {
    const path = this.path.peek();
    if (depth >= 0 && depth < path.length) this.#go(path.slice(0, depth), [path[depth].instance]);
  }

  /** Go to the sheet of a component, or with "" the workflow's own; false when no instance leads there. @param {string} level */
  goTo(level) {
    if (level === this.document.level) return true;
    const path = this.#pathTo(level);
    if (path) this.#go(path, []);
    return path !== null;
  }

  /** The id under which a run tells of a node of this sheet. @param {string} id */
  runId(id) {
    return [...this.path.peek().map((step) => step.instance), id].join("/");
  }

  /**
   * Make an edit; edits that name the same gesture, one after another, are undone together. Changes that name no sheet
   * are to the one on the table.
   * @param {readonly Change[]} changes
   * @param {string | null} gesture
   */
  edit(changes, gesture = null) {
    if (changes.length === 0) return;
    const { level } = this.document;
    this.#after(this.history.commit(level === "" ? changes : changes.map((change) => ({ level, ...change })), gesture));
  }

  /** Make the changes that give a component another name, also where the sheet on the table is it. @param {string} from @param {{changes: readonly Change[], to: string}} renaming */
  renameComponent(from, { changes, to }) {
    if (changes.length === 0) return;
    this.path.value = this.path.peek().map((step) => (step.component === from ? { ...step, component: to } : step));
    if (this.document.level === from) this.document.level = to;
    this.edit(changes);
  }

  /** End the gesture of the edits so far. */
  seal() {
    if (this.history.seal()) this.version.value += 1;
  }

  undo() {
    this.#after(this.history.undo());
  }

  redo() {
    this.#after(this.history.redo());
  }

  /** Go to where that many steps are done. @param {number} count */
  jump(count) {
    this.#after(this.history.jump(count));
  }

  /** Give the state after a step a name. @param {number} index @param {string} name */
  nameStep(index, name) {
    this.history.name(index, name);
    this.version.value += 1;
  }

  /** @param {Iterable<string>} ids */
  select(ids) {
    this.#select(new Set(ids), null, null);
  }

  /** @param {string | null} key */
  selectWire(key) {
    this.#select(new Set(), key, null);
  }

  /** Select a frame, and the nodes given. @param {string} id @param {Iterable<string>} members */
  selectFrame(id, members) {
    this.#select(new Set(members), null, id);
  }

  removeSelected() {
    const wire = this.selectedWire.value === null ? undefined : this.scene.wire(this.selectedWire.value);
    const frame = this.selectedFrame.value;
    if (wire) this.edit(edits.unlinkOne(this.document, wire.id, wire.name, this.scene.spec(wire.id), { node: wire.source, output: wire.output }));
    else this.edit(removal(this.document, this.selection.value, frame));
  }

  /** Delete the selected nodes, joining what they read to what read them. */
  removeKeepingFlow() {
    const kept = edits.removeKeepingFlow(this.document, (id) => this.scene.spec(id), this.selection.value);
    this.edit([...kept, ...forgotten(this.document, this.selection.value)]);
  }

  /** @param {string} id @param {string} name @param {unknown} value @param {boolean} whole  a finished edit, not a keystroke */
  setInput(id, name, value, whole = true) {
    if (Object.is(this.document.input(id, name), value)) return;
    const now = performance.now();
    if (now - this.#typed > PAUSE) this.seal();
    this.#typed = now;
    this.edit(edits.setInput(id, name, value), whole ? null : `input\0${id}\0${name}`);
  }

  /** @param {string} id @param {string} title  "": the one of its kind */
  rename(id, title) {
    const own = this.scene.spec(id)?.title;
    const value = title === "" || title === own ? undefined : title;
    if (value !== this.document.nodes.get(id)?.title) this.edit(edits.setField([id], "title", value));
  }

  /** @param {string} id @param {string} name */
  unlink(id, name) {
    if (linksOf(this.document.input(id, name)).length > 0) this.edit(edits.unlink(id, name, this.scene.spec(id)));
  }

  /** Join two ports when they fit; returns why not, or null. @param {PortRef} a @param {PortRef} b */
  connect(a, b) {
    const why = refusal(this.document, a, b);
    if (why === null) this.edit(this.joining(a, b));
    return why;
  }

  /** Changes that join two ports. @param {PortRef} a @param {PortRef} b @returns {Change[]} */
  joining(a, b) {
    const [from, to] = a.side === "output" ? [a, b] : [b, a];
    return edits.join(this.document, { node: from.node, output: from.port }, to.node, to.port, this.scene.spec(to.node));
  }

  /**
   * Add a node near a point, linked to the port a link was dragged from; both are one step.
   * @param {NodeSpec} spec
   * @param {Point} at
   * @param {PortRef | null} from
   */
  add(spec, at, from = null) {
    const id = this.document.freeId();
    const changes = edits.addNode(id, spec, this.#spotFor(spec, at));
    const port = from ? matchingPort(spec, from) : null;
    if (from && port !== null) {
      if (from.side === "output") changes.push(...edits.link({ node: from.node, output: from.port }, id, port));
      else changes.push(...edits.join(this.document, { node: id, output: port }, from.node, from.port, this.scene.spec(from.node)));
    }
    this.edit(changes);
    this.select([id]);
    return id;
  }

  /** Where there is room for a node near a point. @param {NodeSpec} spec @param {Point} at */
  #spotFor(spec, at) {
    const size = layoutOf(spec, { type: spec.id, inputs: {} }, undefined);
    return housed(this.document, freeSpot(this.scene.nodes, at, size), size);
  }

  /** The selected nodes as a workflow, or null when none is selected. */
  copy() {
    if (this.selection.value.size === 0) return null;
    return extract(this.document, this.selection.value);
  }

  /** Add another workflow's nodes at a point and select them. @param {unknown} json @param {Point} at @param {boolean} outside  with their links from outside @param {string | null} gesture */
  paste(json, at, outside = false, gesture = null) {
    const { changes, ids } = insert(this.document, json, at, outside);
    this.edit(changes, gesture);
    this.select(ids);
  }

  /** Copies of the selected nodes beside them, reading from where the originals read. @param {number} offset @param {string | null} gesture */
  duplicate(offset = DUPLICATE_OFFSET, gesture = null) {
    const part = this.copy();
    if (!part) return;
    const corner = cornerOf(Document.from(part));
    this.paste(part, { x: corner.x + offset, y: corner.y + offset }, true, gesture);
  }

  /** Add a note. @param {string} text @param {Point} at */
  addNote(text, at) {
    const spec = /** @type {NodeSpec} */ (this.catalogue.specs.get(NOTE));
    const id = this.document.freeId();
    this.edit([...edits.addNode(id, spec, this.#spotFor(spec, { x: snapped(at.x), y: snapped(at.y) })), ...edits.setInput(id, "text", text)]);
    this.select([id]);
    return id;
  }

  /** Put a reroute into a link. @param {import("./scene.js").Wire} wire @param {Point} at */
  addReroute(wire, at) {
    const id = this.document.freeId();
    const spec = /** @type {NodeSpec} */ (this.catalogue.specs.get(REROUTE));
    const changes = edits.addNode(id, spec, housed(this.document, { x: snapped(at.x - 16), y: snapped(at.y - 8) }, REROUTE_SIZE));
    this.edit([...changes, ...(edits.insertOnLink(this.document, id, spec, wire, wire.type) ?? [])]);
    this.select([id]);
  }

  /** Arrange the selected nodes, or all of them, where they are. */
  arrange() {
    const chosen = [...(this.selection.value.size > 1 ? this.selection.value : this.document.nodes.keys())];
    const places = chosen.map((id) => this.document.places.get(id) ?? { x: 0, y: 0 });
    const corner = { x: Math.min(...places.map((place) => place.x)), y: Math.min(...places.map((place) => place.y)) };
    this.edit(arrange(this.document, this.scene, chosen, corner));
  }

  /** Nodes that were saved without a place are arranged under the others. */
  #placeStrays() {
    const strays = [...this.document.nodes.keys()].filter((id) => !this.document.places.has(id));
    if (strays.length === 0) return;
    const placed = union([...this.document.places.keys()].flatMap((id) => this.scene.nodes.box(id) ?? []));
    const corner = placed ? { x: placed.x, y: placed.y + placed.h + 2 * STATUS } : { x: 0, y: 0 };
    const { level } = this.document;
    this.document.apply(arrange(this.document, this.scene, strays, corner).map((change) => ({ level, ...change })));
    this.#rebuild();
  }

  /** @param {readonly Step[]} path @param {Iterable<string>} selected */
  #go(path, selected) {
    this.document.level = path.at(-1)?.component ?? "";
    this.#rebuild();
    this.#placeStrays();
    this.#show(path, new Set(selected));
    this.#tell(null, false);
  }

  /** @param {readonly Step[]} path @param {ReadonlySet<string>} selection */
  #show(path, selection) {
    batch(() => {
      this.path.value = path;
      this.#select(selection, null, null);
      this.version.value += 1;
    });
  }

  /** @param {ReadonlySet<string>} nodes @param {string | null} wire @param {string | null} frame */
  #select(nodes, wire, frame) {
    batch(() => {
      this.selection.value = nodes;
      this.selectedWire.value = wire;
      this.selectedFrame.value = frame;
    });
  }

  /** Show what a patch changed; when all of it is on another sheet, go there. @param {Patch} patch */
  #after(patch) {
    if (patch.size === 0) return;
    const gone = this.path.peek().findIndex(({ component }) => !this.document.components.has(component));
    if (gone >= 0) return this.#go(this.path.peek().slice(0, gone), []);
    const writes = [...patch.values()].filter(({ table }) => table !== "interface");
    const here = writes.filter(({ level, table }) => level === this.document.level && table !== "components");
    const path = here.length === 0 && writes.length > 0 ? this.#pathTo(writes[0].level) : null;
    if (path) return this.#go(path, []);
    const touched = new Set(here.flatMap(({ table, id }) => (table === "frames" ? [] : [id])));
    if (here.length < writes.length) for (const [id, node] of this.document.nodes) if (isComponent(node.type)) touched.add(id);
    const content = writes.length === 0 || writes.some(({ table }) => table === "nodes" || table === "components");
    if (content) this.#addReroutes(touched);
    this.scene.refresh(touched);
    batch(() => {
      this.#keepSelection();
      this.version.value += 1;
    });
    this.#tell(touched, content);
  }

  /** Reroutes show the type of what they are linked to. @param {Set<string>} touched */
  #addReroutes(touched) {
    for (const id of touched) {
      for (const reader of this.document.readers(id)) if (this.document.nodes.get(reader.id)?.type === REROUTE) touched.add(reader.id);
    }
  }

  #keepSelection() {
    const { nodes, frames } = this.document;
    const selection = this.selection.value;
    if ([...selection].some((id) => !nodes.has(id))) this.selection.value = new Set([...selection].filter((id) => nodes.has(id)));
    const wire = this.selectedWire.value;
    if (wire !== null && !this.scene.wire(wire)) this.selectedWire.value = null;
    const frame = this.selectedFrame.value;
    if (frame !== null && !frames.has(frame)) this.selectedFrame.value = null;
  }

  /** Steps to a component's sheet; null when no instance leads there. @param {string} level @returns {readonly Step[] | null} */
  #pathTo(level) {
    const here = this.path.peek();
    if (level === "") return [];
    const known = here.findIndex((step) => step.component === level);
    if (known >= 0) return here.slice(0, known + 1);
    /** @type {{level: string, path: Step[]}[]} */
    const open = [{ level: "", path: [] }];
    const seen = new Set([""]);
    for (const { level: at, path } of open) {
      for (const [instance, node] of this.document.sheet(at).nodes) {
        const component = isComponent(node.type) ? componentName(node.type) : "";
        if (seen.has(component) || !this.document.components.has(component)) continue;
        const next = [...path, { instance, component }];
        if (component === level) return next;
        seen.add(component);
        open.push({ level: component, path: next });
      }
    }
    return null;
  }

  #rebuild() {
    this.scene = new Scene(this.document, this.catalogue);
  }

  /** @param {ReadonlySet<string> | null} touched @param {boolean} content */
  #tell(touched, content) {
    for (const watcher of this.#watchers) watcher(touched, content);
  }
}
