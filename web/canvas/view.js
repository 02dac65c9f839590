/**
 * The view of the graph: a camera on a painted world. The world is kept in tiles, which moving only copies; over it lies what
 * changes by itself (links under the pointer, dragged nodes, nodes at work), and, once the view rests, the DOM of the nodes
 * that can be read.
 */

import * as cameras from "../core/camera.js";
import { STATUS } from "../core/geometry.js";
import { union } from "../core/grid.js";
import { t } from "../core/strings.js";
import { h } from "../dom.js";
import { between } from "./gestures.js";
import { NodeLayer, READABLE } from "./nodes.js";
import { forwardPress } from "./press.js";
import { Screen } from "./screen.js";
import { watchTheme } from "./theme.js";
import { Watch } from "./watch.js";

/** @import {Camera} from "../core/camera.js" */
/** @import {Editor} from "../core/editor.js" */
/** @import {Run} from "../core/run.js" */
/** @import {Box, Point, PortRef, Problem} from "../core/types.js" */
/** @import {NodeServices} from "./node.js" */
/** @import {Overlay} from "./overlay.js" */
/** @import {LinkStyle} from "./wires.js" */
/** @typedef {{run: Run, problems: ReadonlyMap<string, readonly Problem[]>}} Status */

/** Milliseconds without motion after which the view rests. */
const REST = 120;
/** Milliseconds of a frame that painting tiles may take: while moving, at rest, and when everything is new. */
const MOVING = 3;
const SLICE = 6;
const FIRST = 60;
/** Milliseconds a flight of the camera takes. */
const GLIDE = 200;

export class View {
  element = h("div", { class: "canvas", tabindex: 0, role: "region", "aria-label": t("canvas.label") });
  #note = h("div", { class: "note", hidden: true, role: "status" });
  #hint = h("div", { class: "canvas-hint", hidden: true }, t("canvas.hint"));
  #screen;
  #nodes;
  #watch;
  /** @type {Camera} */
  camera = { x: 0, y: 0, scale: 1 };
  size = { w: 0, h: 0 };
  #frame = 0;
  #until = SLICE;
  /** Moving now, since when, and whether the scale changes. */
  #moving = false;
  #zooming = false;
  #moved = 0;
  #idle = 0;
  /** Whether all nodes are shown, and are to be in whatever room there is, until the view is moved. */
  #fitWanted = false;
  /** The scale at which the graph is shown when there is room for it: larger for who reads large text. */
  largest = 1;
  /** @type {(() => void)[]} */
  #waiting = [];
  /** @type {(() => void)[]} */
  #followers = [];
  /** Whether the keyboard led to where the focus is, and not to what a command left. */
  walked = false;
  /** The flight of the camera that is under way. */
  #flight = 0;
  /** @type {Overlay} */
  #overlay = {};
  /** @type {string | null} */
  #hovered = null;
  #editor;

  /** @param {HTMLElement} parent @param {Editor} editor @param {() => Status} status @param {NodeServices} services */
  constructor(parent, editor, status, services) {
    this.#editor = editor;
    this.status = status;
    this.#nodes = new NodeLayer(editor, status, services);
    this.#watch = new Watch(editor, status, (boxes) => this.#damaged(boxes));
    this.#screen = new Screen(editor, status, this.#watch, this.element);
    this.element.append(this.#screen.base, this.#nodes.element, h("div", { class: "layer" }), this.#screen.over, this.#note, this.#hint);
    parent.append(this.element);
    watchTheme(() => this.#repaint());
    this.element.addEventListener("pointerdown", (event) => this.#pressed(event), { capture: true });
    new ResizeObserver(() => this.#resize()).observe(this.element);
    this.#resize();
    editor.watch((touched) => this.#documentChanged(touched));
  }

  /** Draw again before the next frame. */
  invalidate() {
    this.#screen.stale = true;
    this.#ask();
  }

  #ask() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** Move the view, as part of a motion. @param {Camera} camera */
  setCamera(camera) {
    this.#flight += 1;
    this.#move(camera);
  }

  /** @param {Camera} camera */
  #move(camera) {
    this.#zooming ||= camera.scale !== this.camera.scale;
    this.#fitWanted = false;
    this.camera = camera;
    this.#moved = performance.now();
    if (!this.#moving) {
      this.#moving = true;
      this.#nodes.hide();
      setTimeout(() => this.#restSoon(), REST);
    }
    this.invalidate();
  }

  /** Move the view so that one sees where to; at once when little motion is wanted. @param {Camera} camera */
  glide(camera) {
    const from = this.camera;
    const flight = ++this.#flight;
    const start = performance.now();
    if (document.documentElement.dataset.motion === "reduced" || matchMedia("(prefers-reduced-motion: reduce)").matches) return this.jump(camera);
    const step = () => {
      if (flight !== this.#flight) return;
      const part = Math.min(1, (performance.now() - start) / GLIDE);
      if (part === 1) return this.jump(camera);
      this.#move(between(from, camera, part * part * (3 - 2 * part), this.size));
      requestAnimationFrame(step);
    };
    step();
  }

  /** Be told when the view moved. @param {() => void} follower */
  onMove(follower) {
    this.#followers.push(follower);
  }

  /** The colours in use. */
  get theme() {
    return this.#screen.theme;
  }

  /** Move the view at once. @param {Camera} camera */
  jump(camera) {
    this.#flight += 1;
    this.#fitWanted = false;
    this.camera = camera;
    this.#until = FIRST;
    this.settle();
  }

  #restSoon() {
    if (!this.#moving) return;
    const left = this.#moved + REST - performance.now();
    if (left > 1) setTimeout(() => this.#restSoon(), left);
    else this.settle();
  }

  /** End the motion: let what is on screen be DOM again. */
  /** @param {boolean} [whole]  nothing was to be seen so far: what comes is whole */
  settle(whole = false) {
    this.#moving = false;
    this.#zooming = false;
    this.#nodes.show(cameras.snapped(this.camera, this.#screen.ratio), this.size, whole);
    this.invalidate();
  }

  /** Zoom by a factor about a point of the screen. @param {Point} at @param {number} factor */
  zoom(at, factor) {
    this.setCamera(cameras.zoomAt(this.camera, at, factor));
  }

  /** Show all nodes, or some. @param {Iterable<string>} [ids] */
  fit(ids) {
    this.#fitWanted = !ids;
    if (this.size.w === 0) return;
    const { nodes } = this.#editor.scene;
    const frames = ids ? [] : this.#editor.document.frames.values();
    const box = union([...(ids ? [...ids].flatMap((id) => nodes.box(id) ?? []) : nodes.boxes()), ...frames]);
    const camera = box ? cameras.fit({ ...box, h: box.h + STATUS }, this.size, this.largest) : { x: 0, y: 0, scale: 1 };
    if (ids) return this.glide(camera);
    this.jump(camera);
    this.#fitWanted = true;
  }

  /** Move the view just enough that a node is on screen and readable. @param {string} id */
  reveal(id) {
    const box = this.#editor.scene.nodes.box(id);
    if (!box) return;
    const scale = Math.max(this.camera.scale, READABLE + 0.15);
    const centre = { x: box.x + box.w / 2, y: box.y + box.h / 2 };
    const seen = cameras.visible(this.camera, this.size);
    const inside = box.x >= seen.x && box.y >= seen.y && box.x + box.w <= seen.x + seen.w && box.y + box.h <= seen.y + seen.h;
    if (inside && scale === this.camera.scale) return;
    this.glide({ x: this.size.w / 2 - centre.x * scale, y: this.size.h / 2 - centre.y * scale, scale });
  }

  /** Put the keyboard focus on a node that is in view. @param {string} id */
  focus(id) {
    if (this.#editor.scene.nodes.box(id) && this.camera.scale >= READABLE) this.#nodes.need(id).element.focus({ preventScroll: true });
  }

  /** Whether the pointer is over the graph and the keyboard is not moving about in it. */
  get pointing() {
    const active = document.activeElement;
    return !this.walked && this.element.matches(":hover") && (active === document.body || active === this.element || active?.classList.contains("node") === true);
  }

  /** The DOM node, when the node has one now. @param {string} id */
  nodeView(id) {
    return this.#nodes.get(id);
  }

  /** Screen point of a pointer event, from the view's corner. @param {{clientX: number, clientY: number}} event @returns {Point} */
  pointOf(event) {
    const rect = this.element.getBoundingClientRect();
    return { x: event.clientX - rect.left, y: event.clientY - rect.top };
  }

  /** @param {Point} screen */
  toWorld(screen) {
    return cameras.toWorld(this.camera, screen);
  }

  /** @param {Overlay} overlay */
  setOverlay(overlay) {
    this.#overlay = overlay;
    this.#note.toggleAttribute("hidden", !overlay.note);
    if (overlay.note) {
      this.#note.textContent = overlay.note.text;
      this.#note.style.transform = `translate(${overlay.note.at.x + 16}px, ${overlay.note.at.y + 16}px)`;
    }
    this.#ask();
  }

  get hoveredWire() {
    return this.#hovered;
  }

  set hoveredWire(key) {
    if (key === this.#hovered) return;
    this.#hovered = key;
    this.#ask();
  }

  /** How links are drawn. @param {LinkStyle} links */
  set links(links) {
    if (links === this.#screen.links) return;
    this.#screen.links = links;
    this.#repaint();
  }

  /** Draw links, or do not. */
  hideLinks() {
    this.#screen.hidden = !this.#screen.hidden;
    this.#repaint();
  }

  /** Light the ports that fit. @param {((ref: PortRef) => string | null) | null} refusalOf */
  light(refusalOf) {
    this.#nodes.light(refusalOf);
  }

  /** Take nodes off the world, to be dragged without painting it anew. @param {ReadonlySet<string>} ids */
  lift(ids) {
    this.#damaged(this.#screen.take(ids));
  }

  /** Show the lifted nodes moved by that much, in world units. @param {Point} offset */
  moveLifted(offset) {
    this.#screen.move(offset);
    this.#ask();
  }

  /** Put lifted nodes back: where the document says that they are. */
  drop() {
    this.#damaged(this.#screen.land());
  }

  /** Where a node is in the world, a drag in progress included. @param {string} id @returns {Point | null} */
  placeOf(id) {
    const box = this.#editor.scene.nodes.box(id);
    const { x, y } = this.#screen.offsetOf(id);
    return box ? { x: box.x + x, y: box.y + y } : null;
  }

  /** The point of the page where a node can be taken to drag it. @param {string} id @returns {Point | null} */
  grabPoint(id) {
    const place = this.placeOf(id);
    if (!place) return null;
    const at = cameras.toScreen(this.camera, { x: place.x + 60, y: place.y + 16 });
    const rect = this.element.getBoundingClientRect();
    return { x: at.x + rect.left, y: at.y + rect.top };
  }

  /** Done when what is in view is painted. @returns {Promise<void>} */
  painted() {
    this.#ask();
    return new Promise((done) => this.#waiting.push(done));
  }

  /** Pixels of the bitmaps that hold tiles, and of the screen. */
  bitmaps() {
    return { tiles: this.#screen.tiled, screen: this.#screen.pixels };
  }

  /** Say how to begin, where there is nothing yet. @param {boolean} empty */
  showHint(empty) {
    this.#hint.toggleAttribute("hidden", !empty);
  }

  /** Selection, run state or problems changed. */
  statusChanged() {
    this.#nodes.refresh();
    this.#watch.statusChanged();
    this.#ask();
  }

  /** The picture a node is making. @param {string} id @param {Blob} blob */
  preview(id, blob) {
    this.#watch.preview(id, blob);
  }

  /** @param {ReadonlySet<string> | null} touched */
  #documentChanged(touched) {
    this.#nodes.update(touched);
    this.#watch.documentChanged();
    if (touched === null) {
      this.#until = FIRST;
      this.#editor.scene.takeDamage();
      this.#repaint();
    } else this.#damaged(this.#watch.reach(this.#editor.scene.takeDamage()));
    this.#nodes.refresh();
    if (!this.#moving) this.settle();
  }

  /** @param {readonly Box[]} boxes */
  #damaged(boxes) {
    this.#screen.damage(boxes);
    this.#ask();
  }

  #repaint() {
    this.#screen.forget();
    this.#ask();
  }

  /** @param {PointerEvent} event  A press on what is painted, not DOM yet, is one on the DOM it becomes. */
  #pressed(event) {
    if (!event.isTrusted || this.camera.scale < READABLE || event.button !== 0) return;
    const id = this.#editor.scene.nodeAt(this.toWorld(this.pointOf(event)));
    if (!this.#moving && (id === null || this.#nodes.get(id))) return;
    if (id !== null) this.#nodes.need(id);
    this.settle();
    forwardPress(event);
  }

  #resize() {
    const { clientWidth: w, clientHeight: height } = this.element;
    if (w === 0 || height === 0) return;
    const first = this.size.w === 0;
    this.size = { w, h: height };
    this.#screen.resize(this.size, devicePixelRatio || 1);
    if (this.#fitWanted) this.fit();
    this.settle(first);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#draw(first ? this.#nodes.ids : undefined);
  }

  /** @param {ReadonlySet<string>} [covered]  nodes that need not be painted yet */
  #draw(covered) {
    if (this.size.w === 0) return;
    if ((devicePixelRatio || 1) !== this.#screen.ratio) return this.#resize();
    const mounted = (/** @type {string} */ id) => !this.#moving && this.#nodes.get(id) !== undefined;
    const gesture = { overlay: this.#overlay, hovered: this.#hovered, mounted, lit: this.#nodes.lit };
    for (const follower of this.#followers) follower();
    const complete = this.#screen.draw(this.camera, this.#zooming, performance.now() + (this.#moving ? MOVING : this.#until), gesture, covered);
    this.#until = SLICE;
    this.#nodes.lift(this.#screen.lifted);
    if (!complete) return this.invalidate();
    for (const done of this.#waiting.splice(0)) done();
    if (!this.#moving && this.#screen.lifted.size === 0) this.#prefetch();
  }

  /** Paint, while nothing else is to do, what a motion would bring into view first. */
  #prefetch() {
    if (this.#idle || typeof requestIdleCallback !== "function") return;
    this.#idle = requestIdleCallback((deadline) => {
      this.#idle = 0;
      while (!this.#moving && deadline.timeRemaining() > SLICE) if (!this.#screen.prefetch(this.camera)) return;
      if (!this.#moving) this.#prefetch();
    });
  }
}
