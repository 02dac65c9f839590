/** The laid-out workflow: a Layout per node and two spatial indexes, kept up to date node by node as the document changes. */

import { bezier, contains, distanceToLink, layoutOf, linkBox, shapeOf } from "./geometry.js";
import { Grid, union } from "./grid.js";
import { linksOf } from "./level.js";

/** @import {Catalogue} from "./catalogue.js" */
/** @import {Document} from "./document.js" */
/** @import {Layout} from "./geometry.js" */
/** @import {Box, Link, NodeData, NodeSpec, Place, Point, PortRef} from "./types.js" */
/** @typedef {{key: string, source: string, output: string, id: string, name: string, from: Point, to: Point, type: string}} Wire */

/** Layouts kept of one kind of node. */
const SHAPES = 200;

/** Key of a link: its end, and which of the links there it is. @param {string} id @param {string} name @param {number} index */
const wireKey = (id, name, index) => (index === 0 ? `${id}\0${name}` : `${id}\0${name}\0${index}`);

export class Scene {
  /** Boxes that look different since they were last taken: of nodes and links, before and after. @type {Box[]} */
  #damage = [];
  nodes = new Grid();
  #wireGrid = new Grid();
  /** @type {Map<string, Layout>} */
  #layouts = new Map();
  /** Layouts that nodes of a kind share, by what they depend on. @type {WeakMap<NodeSpec, Map<string, Layout>>} */
  #shared = new WeakMap();
  /** @type {Map<string, NodeSpec>} */
  #specs = new Map();
  /** Which node was there first: the later one is drawn above. @type {Map<string, number>} */
  #orders = new Map();
  #next = 0;
  /** @type {Map<string, Wire>} */
  #wires = new Map();
  #document;
  #catalogue;

  /** @param {Document} document @param {Catalogue} catalogue */
  constructor(document, catalogue) {
    this.#document = document;
    this.#catalogue = catalogue;
    for (const id of document.nodes.keys()) this.#layOut(id);
    for (const id of document.nodes.keys()) this.#wire(id);
  }

  /** @param {string} id */
  layout(id) {
    return this.#layouts.get(id);
  }

  /** @param {string} id @returns {NodeSpec} */
  spec(id) {
    return /** @type {NodeSpec} */ (this.#specs.get(id));
  }

  /** Rank of a node among those that overlap it. @param {string} id */
  order(id) {
    return this.#orders.get(id) ?? 0;
  }

  /** @param {string} key */
  wire(key) {
    return this.#wires.get(key);
  }

  /** What looks different since this was last asked, as boxes of the world. */
  takeDamage() {
    const damage = this.#damage;
    this.#damage = [];
    return damage;
  }

  /** Keys of the links into a node and out of it. @param {string} id @returns {Set<string>} */
  wiresOf(id) {
    const keys = new Set(this.#wiresInto.get(id));
    for (const reader of this.#document.readers(id)) {
      for (const key of this.#wiresInto.get(reader.id) ?? []) if (this.#wires.get(key)?.source === id) keys.add(key);
    }
    return keys;
  }

  /** @param {string} key */
  wireBox(key) {
    return this.#wireGrid.box(key);
  }

  /** The smallest box around everything, or null when there is nothing. */
  bounds() {
    return union(this.nodes.boxes());
  }

  /** Bring nodes, and the links at either end of them, up to date. @param {Iterable<string>} ids */
  refresh(ids) {
    /** @type {Set<string>} */
    const rewire = new Set();
    for (const id of ids) {
      for (const source of this.#sourcesOf(id)) if (this.#specs.get(source)?.missing) this.#layOut(source);
      if (this.#document.nodes.has(id)) this.#layOut(id);
      else this.#forget(id);
      rewire.add(id);
      for (const reader of this.#document.readers(id)) rewire.add(reader.id);
    }
    for (const id of rewire) this.#wire(id);
  }

  /** @param {Box} area @returns {Wire[]} */
  wiresIn(area) {
    return [...this.#wireGrid.query(area)].map((key) => /** @type {Wire} */ (this.#wires.get(key)));
  }

  /** The topmost node at a point: the one drawn last. @param {Point} point @returns {string | null} */
  nodeAt(point) {
    let top = null;
    for (const id of this.nodes.query({ ...point, w: 0.01, h: 0.01 })) {
      if (contains(/** @type {Box} */ (this.nodes.box(id)), point) && (top === null || this.order(id) > this.order(top))) top = id;
    }
    return top;
  }

  /** The nearest link within a distance. @param {Point} point @param {number} distance @returns {Wire | null} */
  wireAt(point, distance) {
    const area = { x: point.x - distance, y: point.y - distance, w: 2 * distance, h: 2 * distance };
    let [nearest, best] = [/** @type {Wire | null} */ (null), distance];
    for (const wire of this.wiresIn(area)) {
      const d = distanceToLink(bezier(wire.from, wire.to), point);
      if (d <= best) [nearest, best] = [wire, d];
    }
    return nearest;
  }

  /** The nearest port within a distance. @param {Point} point @param {number} distance @returns {PortRef | null} */
  portAt(point, distance) {
    const area = { x: point.x - distance, y: point.y - distance, w: 2 * distance, h: 2 * distance };
    let [nearest, best] = [/** @type {PortRef | null} */ (null), distance];
    for (const id of this.nodes.query(area)) {
      for (const ref of this.ports(id)) {
        const at = this.portPoint(ref);
        const d = at ? Math.hypot(at.x - point.x, at.y - point.y) : Infinity;
        if (d <= best) [nearest, best] = [ref, d];
      }
    }
    return nearest;
  }

  /** @param {string} id @returns {PortRef[]} */
  ports(id) {
    const spec = this.spec(id);
    return [
      ...spec.inputs.map((input) => /** @type {PortRef} */ ({ node: id, port: input.name, side: "input", type: input.type })),
      ...spec.outputs.map((output) => /** @type {PortRef} */ ({ node: id, port: output.name, side: "output", type: output.type })),
    ];
  }

  /** Where a port is in the world. @param {PortRef} ref @returns {Point | null} */
  portPoint(ref) {
    const layout = this.#layouts.get(ref.node);
    return this.#point(ref.node, (ref.side === "input" ? layout?.inputs : layout?.outputs)?.get(ref.port));
  }

  /** @param {string} id @param {Point | undefined} local  from the node's corner @returns {Point | null} */
  #point(id, local) {
    const box = this.nodes.box(id);
    return box && local ? { x: box.x + local.x, y: box.y + local.y } : null;
  }

  /** @param {string} id */
  #layOut(id) {
    const node = this.#document.nodes.get(id);
    if (!node) return;
    const place = this.#document.places.get(id) ?? { x: 0, y: 0 };
    const spec = this.#catalogue.specOf(this.#document, id);
    const layout = this.#layoutOf(spec, node, place);
    if (!this.#orders.has(id)) this.#orders.set(id, this.#next++);
    this.#specs.set(id, spec);
    this.#layouts.set(id, layout);
    this.#damaged(this.nodes.box(id));
    this.nodes.set(id, { x: place.x, y: place.y, w: layout.w, h: layout.h });
    this.#damaged(this.nodes.box(id));
  }

  /** @param {NodeSpec} spec @param {NodeData} node @param {Place} place */
  #layoutOf(spec, node, place) {
    const known = this.#shared.get(spec) ?? new Map();
    if (known.size === 0) this.#shared.set(spec, known);
    const shape = shapeOf(node, place);
    const layout = known.get(shape) ?? layoutOf(spec, node, place);
    if (known.size > SHAPES) known.clear();
    known.set(shape, layout);
    return layout;
  }

  /** @param {Box | undefined} box */
  #damaged(box) {
    if (box) this.#damage.push(box);
  }

  /** @param {string} id */
  #forget(id) {
    this.#damaged(this.nodes.box(id));
    this.nodes.delete(id);
    this.#specs.delete(id);
    this.#orders.delete(id);
    this.#layouts.delete(id);
  }

  /** @param {string} id @returns {string[]} */
  #sourcesOf(id) {
    const inputs = this.#document.nodes.get(id)?.inputs ?? {};
    return Object.values(inputs).flatMap((value) => linksOf(value).map((link) => link.node));
  }

  /** Lay the links into a node anew. @param {string} id */
  #wire(id) {
    for (const wire of this.#wiresInto.get(id) ?? []) {
      this.#damaged(this.#wireGrid.box(wire));
      this.#wires.delete(wire);
      this.#wireGrid.delete(wire);
    }
    this.#wiresInto.delete(id);
    const keys = [];
    for (const [name, value] of Object.entries(this.#document.nodes.get(id)?.inputs ?? {})) {
      if (typeof value !== "object") continue;
      for (const [index, link] of linksOf(value).entries()) {
        const wire = this.#wireOf(id, name, link, index);
        if (!wire) continue;
        keys.push(wire.key);
        this.#wires.set(wire.key, wire);
        const box = linkBox(wire.from, wire.to);
        this.#wireGrid.set(wire.key, box);
        this.#damaged(box);
      }
    }
    if (keys.length > 0) this.#wiresInto.set(id, keys);
  }

  /** @type {Map<string, string[]>} */
  #wiresInto = new Map();

  /** @param {string} id @param {string} name @param {Link} link @param {number} index @returns {Wire | null} */
  #wireOf(id, name, link, index) {
    const type = this.#specs.get(link.node)?.outputs.find((output) => output.name === link.output)?.type ?? "Any";
    const from = this.#point(link.node, this.#layouts.get(link.node)?.outputs.get(link.output));
    const to = this.#point(id, this.#layouts.get(id)?.inputs.get(name));
    if (!from || !to) return null;
    return { key: wireKey(id, name, index), source: link.node, output: link.output, id, name, from, to, type };
  }
}
