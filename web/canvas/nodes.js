/**
 * The DOM of the nodes that can be read and are on screen, made once the view rests, a few at a time while nothing else is
 * to do; while the view moves it is not shown, as the same is painted under it.
 */

import { visible } from "../core/camera.js";
import { h } from "../dom.js";
import { NodeView } from "./node.js";

/** @import {Camera} from "../core/camera.js" */
/** @import {Editor} from "../core/editor.js" */
/** @import {Box, PortRef, Problem} from "../core/types.js" */
/** @import {NodeServices} from "./node.js" */
/** @import {Status} from "./view.js" */

/** From this scale on, nodes are DOM. */
export const READABLE = 0.45;
/** Milliseconds of work between two looks at whether there is something better to do: usually, and when everything is new. */
const SLICE = 5;
const FIRST = 30;
/** Elements all nodes together may have: what comes after stays painted until it is used. */
const ELEMENTS = 2200;
/** Nodes without DOM that are asked whether a link fits them. */
const LIT = 600;
/** @type {readonly Problem[]} */
const NO_PROBLEMS = [];
/** @type {(work: () => void) => number} */
const whenIdle = typeof requestIdleCallback === "function" ? (work) => requestIdleCallback(work, { timeout: 200 }) : (work) => Number(setTimeout(work, 16));
const neverMind = (/** @type {number} */ handle) => (typeof cancelIdleCallback === "function" ? cancelIdleCallback(handle) : clearTimeout(handle));

export class NodeLayer {
  element = h("div", { class: "nodes" });
  /** @type {Map<string, NodeView>} */
  #mounted = new Map();
  #everything = this.element.getElementsByTagName("*");
  #pending = 0;
  #slice = FIRST;
  /** @type {((ref: PortRef) => string | null) | null} */
  #refusalOf = null;
  /** @type {ReadonlySet<string>} */
  #lifted = new Set();
  /** What was in view when it last rested. @type {Box} */
  #seen = { x: 0, y: 0, w: 0, h: 0 };
  /** Nodes that have no DOM and that the link being drawn fits. @type {readonly Box[]} */
  lit = [];
  #editor;
  #status;
  #services;

  /** @param {Editor} editor @param {() => Status} status @param {NodeServices} services */
  constructor(editor, status, services) {
    this.#editor = editor;
    this.#status = status;
    this.#services = services;
  }

  /** The nodes that have DOM. */
  get ids() {
    return new Set(this.#mounted.keys());
  }

  /** @param {string} id */
  get(id) {
    return this.#mounted.get(id);
  }

  /** The view moves: what is here is out of place until it rests. */
  hide() {
    neverMind(this.#pending);
    this.#pending = 0;
    this.element.classList.add("moving");
  }

  /** The view rests. @param {Camera} camera @param {{w: number, h: number}} size @param {boolean} now  as much of it as one slice takes is made before this returns */
  show(camera, size, now) {
    this.element.style.transform = `translate(${camera.x}px, ${camera.y}px) scale(${camera.scale})`;
    const seen = visible(camera, size);
    this.#seen = seen;
    const wanted = camera.scale >= READABLE ? this.#editor.scene.nodes.query(seen) : new Set();
    for (const [id, node] of this.#mounted) {
      if (!wanted.has(id) && !node.element.contains(document.activeElement)) this.#unmount(id);
    }
    this.element.classList.remove("moving");
    const order = this.#inReadingOrder([...wanted].filter((id) => !this.#mounted.has(id)));
    if (now) this.#make(order);
    else this.#schedule(order);
  }

  /** Have a node's DOM now. @param {string} id @returns {NodeView} */
  need(id) {
    return this.#mounted.get(id) ?? this.#mount(id);
  }

  /** Show nodes as they are now, and the nodes whose ports show that they are linked to them. @param {ReadonlySet<string> | null} touched  null: all are others */
  update(touched) {
    if (touched === null) {
      this.#slice = FIRST;
      for (const id of [...this.#mounted.keys()]) this.#unmount(id);
      return;
    }
    for (const id of touched) {
      if (!this.#editor.document.nodes.has(id)) this.#unmount(id);
      if (touched.size > this.#mounted.size) this.#mounted.get(id)?.update();
      else for (const near of this.#neighbours(id)) this.#mounted.get(near)?.update();
    }
    if (touched.size > this.#mounted.size) for (const node of this.#mounted.values()) node.update();
  }

  /** Show selection, run and problems as they are now. */
  refresh() {
    const { run, problems } = this.#status();
    const selection = this.#editor.selection.peek();
    for (const [id, node] of this.#mounted) {
      node.select(selection.has(id));
      node.showRun(run.nodes.get(id), problems.get(id) ?? NO_PROBLEMS);
    }
  }

  /** Light the ports that fit. @param {((ref: PortRef) => string | null) | null} refusalOf */
  light(refusalOf) {
    this.#refusalOf = refusalOf;
    for (const node of this.#mounted.values()) node.light(refusalOf);
    this.lit = refusalOf && this.#mounted.size === 0 ? this.#fitting(refusalOf) : [];
  }

  /** Boxes of the nodes in view that a link fits. @param {(ref: PortRef) => string | null} refusalOf */
  #fitting(refusalOf) {
    const { scene } = this.#editor;
    const near = [...scene.nodes.query(this.#seen)].slice(0, LIT);
    return near.filter((id) => scene.ports(id).some((ref) => refusalOf(ref) === null)).map((id) => /** @type {Box} */ (scene.nodes.box(id)));
  }

  /** Nodes that are drawn elsewhere for now. @param {ReadonlySet<string>} ids */
  lift(ids) {
    if (ids === this.#lifted) return;
    this.#lifted = ids;
    for (const [id, node] of this.#mounted) node.element.classList.toggle("lifted", ids.has(id));
  }

  /** Make the DOM of these nodes, and of no others that were to have it. @param {string[]} order */
  #schedule(order) {
    neverMind(this.#pending);
    this.#pending = 0;
    if (order.length === 0) return;
    this.#pending = whenIdle(() => {
      this.#pending = 0;
      this.#make(order);
    });
  }

  /** A slice of it, and the rest later. @param {string[]} order */
  #make(order) {
    const until = performance.now() + this.#slice;
    this.#slice = SLICE;
    while (order.length > 0 && performance.now() < until && this.#everything.length < ELEMENTS) {
      const id = /** @type {string} */ (order.shift());
      if (!this.#mounted.has(id) && this.#editor.scene.nodes.box(id)) this.#mount(id);
    }
    this.#schedule(this.#everything.length < ELEMENTS ? order : []);
  }

  /** Left to right and top to bottom: the order in which Tab will visit them. @param {string[]} ids */
  #inReadingOrder(ids) {
    const place = (/** @type {string} */ id) => /** @type {Box} */ (this.#editor.scene.nodes.box(id));
    return ids.sort((a, b) => place(a).x - place(b).x || place(a).y - place(b).y);
  }

  /** A node, and the nodes whose ports show that they are linked to it. @param {string} id */
  #neighbours(id) {
    const { scene } = this.#editor;
    const near = new Set([id]);
    for (const key of scene.wiresOf(id)) {
      const wire = scene.wire(key);
      if (wire) near.add(wire.id).add(wire.source);
    }
    return near;
  }

  /** @param {string} id */
  #mount(id) {
    const { run, problems } = this.#status();
    const node = new NodeView(id, this.#editor, this.#services);
    node.select(this.#editor.selection.peek().has(id));
    node.showRun(run.nodes.get(id), problems.get(id) ?? NO_PROBLEMS);
    if (this.#refusalOf) node.light(this.#refusalOf);
    node.element.classList.toggle("lifted", this.#lifted.has(id));
    this.#mounted.set(id, node);
    this.element.insertBefore(node.element, this.#after(id));
    return node;
  }

  /** The first element that Tab should visit after a node. @param {string} id */
  #after(id) {
    const { nodes } = this.#editor.scene;
    const [{ x, y }, last] = [/** @type {Box} */ (nodes.box(id)), this.element.lastElementChild];
    const isAfter = (/** @type {Element} */ element) => {
      const box = nodes.box(element.getAttribute("data-node") ?? "");
      return box !== undefined && (box.x > x || (box.x === x && box.y > y));
    };
    return last && isAfter(last) ? ([...this.element.children].find(isAfter) ?? null) : null;
  }

  /** @param {string} id */
  #unmount(id) {
    this.#mounted.get(id)?.element.remove();
    this.#mounted.delete(id);
  }
}
