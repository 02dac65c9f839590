/** The workflow on the table: document, history, laid-out scene and selection, and the edits a person makes to them. */

import { Catalogue } from "./catalogue.js";
import { matchingPort, refusal } from "./connect.js";
import { Document, isLink } from "./document.js";
import * as edits from "./edits.js";
import { STATUS } from "./geometry.js";
import { union } from "./grid.js";
import { History } from "./history.js";
import { arrange } from "./layout.js";
import { Scene } from "./scene.js";
import { batch, signal } from "./store.js";

/** @import {Change} from "./document.js" */
/** @import {Link, NodeSpec, Point, PortRef} from "./types.js" */
/** @typedef {(touched: ReadonlySet<string> | null, content: boolean) => void} Watcher  null: everything */

const DUPLICATE_OFFSET = 32;

export class Editor {
  document = new Document();
  catalogue = new Catalogue();
  history = new History(this.document);
  scene = new Scene(this.document, this.catalogue);
  /** Ids of the selected nodes. @type {import("./store.js").Signal<ReadonlySet<string>>} */
  selection = signal(/** @type {ReadonlySet<string>} */ (new Set()));
  /** Key of the selected link. */
  selectedWire = signal(/** @type {string | null} */ (null));
  /** Counts edits; read it to follow `history` and `document`. */
  version = signal(0);
  /** @type {Set<Watcher>} */
  #watchers = new Set();

  /** Be told which nodes look different, and whether more than their place changed. @param {Watcher} watcher */
  watch(watcher) {
    this.#watchers.add(watcher);
  }

  /** Put another workflow on the table, with a history of its own. @param {unknown} json */
  open(json) {
    const document = Document.from(json);
    this.document = document;
    this.history = new History(document);
    this.#rebuild();
    this.#placeStrays();
    batch(() => {
      this.selection.value = new Set();
      this.selectedWire.value = null;
      this.version.value += 1;
    });
    this.#tell(null, true);
  }

  /** @param {Catalogue} catalogue */
  setCatalogue(catalogue) {
    this.catalogue = catalogue;
    this.#rebuild();
    this.version.value += 1;
    this.#tell(null, false);
  }

  /**
   * Make an edit; edits that name the same gesture, one after another, are undone together.
   * @param {readonly Change[]} changes
   * @param {string | null} gesture
   */
  edit(changes, gesture = null) {
    if (changes.length === 0) return;
    this.#after(this.history.commit(changes, gesture), changes.some((change) => change.kind !== "place"));
  }

  /** End the gesture of the edits so far. */
  seal() {
    this.history.seal();
  }

  undo() {
    this.#after(this.history.undo(), true);
  }

  redo() {
    this.#after(this.history.redo(), true);
  }

  /** @param {Iterable<string>} ids */
  select(ids) {
    batch(() => {
      this.selection.value = new Set(ids);
      this.selectedWire.value = null;
    });
  }

  /** @param {string | null} key */
  selectWire(key) {
    batch(() => {
      this.selection.value = new Set();
      this.selectedWire.value = key;
    });
  }

  removeSelected() {
    const wire = this.selectedWire.value === null ? undefined : this.scene.wire(this.selectedWire.value);
    if (wire) this.unlink(wire.id, wire.name);
    else this.edit(edits.removeNodes(this.document, this.selection.value));
  }

  /** @param {string} id @param {string} name @param {unknown} value @param {boolean} whole  a finished edit, not a keystroke */
  setInput(id, name, value, whole = true) {
    if (Object.is(this.document.input(id, name), value)) return;
    this.edit(edits.setInput(id, name, value), whole ? null : `input\0${id}\0${name}`);
  }

  /** @param {string} id @param {string} name */
  unlink(id, name) {
    if (isLink(this.document.input(id, name))) this.edit(edits.unlink(id, name, this.scene.spec(id)));
  }

  /** Join two ports when they fit; returns why not, or null. @param {PortRef} a @param {PortRef} b */
  connect(a, b) {
    const why = refusal(this.document, a, b);
    if (why === null) {
      const [from, to] = a.side === "output" ? [a, b] : [b, a];
      this.edit(edits.link({ node: from.node, output: from.port }, to.node, to.port));
    }
    return why;
  }

  /**
   * Add a node, linked to the port a link was dragged from; both are one step.
   * @param {NodeSpec} spec
   * @param {Point} at
   * @param {PortRef | null} from
   */
  add(spec, at, from = null) {
    const id = this.document.freeId();
    const changes = edits.addNode(id, spec, at);
    const port = from ? matchingPort(spec, from) : null;
    if (from && port !== null) {
      const link = /** @type {Link} */ (from.side === "output" ? { node: from.node, output: from.port } : { node: id, output: port });
      changes.push(...(from.side === "output" ? edits.link(link, id, port) : edits.link(link, from.node, from.port)));
    }
    this.edit(changes);
    this.select([id]);
    return id;
  }

  /** The selected nodes as a workflow, or null when none is selected. */
  copy() {
    if (this.selection.value.size === 0) return null;
    return edits.extract(this.document, this.selection.value);
  }

  /** Add another workflow's nodes at a point and select them. @param {unknown} json @param {Point} at */
  paste(json, at) {
    const { changes, ids } = edits.insert(this.document, json, at);
    this.edit(changes);
    this.select(ids);
  }

  /** Copies of the selected nodes beside them, reading from where the originals read. */
  duplicate() {
    const originals = [...this.selection.value];
    const part = this.copy();
    if (!part) return;
    const left = Math.min(...originals.map((id) => this.document.places.get(id)?.x ?? 0));
    const top = Math.min(...originals.map((id) => this.document.places.get(id)?.y ?? 0));
    const at = { x: left + DUPLICATE_OFFSET, y: top + DUPLICATE_OFFSET };
    const { changes, ids } = edits.insert(this.document, part, at);
    const sorted = Object.keys(part.nodes);
    for (const [index, original] of sorted.entries()) {
      for (const [name, value] of Object.entries(this.document.nodes.get(original)?.inputs ?? {})) {
        if (isLink(value) && !originals.includes(value.node)) changes.push(...edits.link(value, ids[index], name));
      }
    }
    this.edit(changes);
    this.select(ids);
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
    this.document.apply(arrange(this.document, this.scene, strays, corner));
    this.#rebuild();
  }

  /** @param {Set<string>} touched @param {boolean} content */
  #after(touched, content) {
    if (touched.size === 0) return;
    this.scene.refresh(touched);
    batch(() => {
      const selection = this.selection.value;
      if ([...selection].some((id) => !this.document.nodes.has(id))) {
        this.selection.value = new Set([...selection].filter((id) => this.document.nodes.has(id)));
      }
      const wire = this.selectedWire.value;
      if (wire !== null && !this.scene.wire(wire)) this.selectedWire.value = null;
      this.version.value += 1;
    });
    this.#tell(touched, content);
  }

  #rebuild() {
    this.scene = new Scene(this.document, this.catalogue);
  }

  /** @param {ReadonlySet<string> | null} touched @param {boolean} content */
  #tell(touched, content) {
    for (const watcher of this.#watchers) watcher(touched, content);
  }
}
