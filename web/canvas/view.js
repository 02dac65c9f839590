/** The view of the graph: a camera, a painted scene, DOM nodes over it where they can be read, and an overlay for what is being done. */

import * as cameras from "../core/camera.js";
import { union } from "../core/grid.js";
import { STATUS } from "../core/geometry.js";
import { h } from "../dom.js";
import { t } from "../core/strings.js";
import { NodeView } from "./node.js";
import { paintScene, trace } from "./painter.js";
import { readTheme, watchTheme } from "./theme.js";

/** @import {Camera} from "../core/camera.js" */
/** @import {Editor} from "../core/editor.js" */
/** @import {Run} from "../core/run.js" */
/** @import {Box, Point, PortRef, Problem} from "../core/types.js" */
/** @import {NodeServices} from "./node.js" */
/** @typedef {{link?: {from: Point, to: Point, type: string, reversed: boolean}, box?: Box, note?: {text: string, at: Point}}} Overlay  box and note in screen units */
/** @typedef {{run: Run, problems: ReadonlyMap<string, readonly Problem[]>}} Status */

/** From this scale on, nodes are DOM. */
const READABLE = 0.45;
/** Milliseconds of a frame that building DOM nodes may take while something moves. */
const SLICE = 6;
const MARGIN = 160;
/** @type {readonly Problem[]} */
const NO_PROBLEMS = [];

export class View {
  element = h("div", { class: "canvas", tabindex: 0, role: "region", "aria-label": t("canvas.label") });
  #scene = h("canvas", { class: "layer", "aria-hidden": "true" });
  #nodes = h("div", { class: "nodes" });
  #overlayCanvas = h("canvas", { class: "layer over", "aria-hidden": "true" });
  #note = h("div", { class: "note", hidden: true, role: "status" });
  #hint = h("div", { class: "canvas-hint", hidden: true }, t("canvas.hint"));
  /** @type {Map<string, NodeView>} */
  #mounted = new Map();
  #mountedIds = new Set();
  /** @type {Camera} */
  camera = { x: 0, y: 0, scale: 1 };
  size = { w: 0, h: 0 };
  #ratio = 1;
  #frame = 0;
  #fitWanted = false;
  /** @type {Overlay} */
  #overlay = {};
  /** @type {string | null} */
  hoveredWire = null;
  /** @type {((ref: PortRef) => string | null) | null} */
  #refusalOf = null;
  /** @type {import("./theme.js").Theme | null} */
  #theme = null;
  #editor;
  #status;
  #services;

  /** @param {HTMLElement} parent @param {Editor} editor @param {() => Status} status @param {NodeServices} services */
  constructor(parent, editor, status, services) {
    this.#editor = editor;
    this.#status = status;
    this.#services = services;
    this.element.append(this.#scene, this.#nodes, this.#overlayCanvas, this.#note, this.#hint);
    parent.append(this.element);
    watchTheme(() => {
      this.#theme = null;
      this.invalidate();
    });
    new ResizeObserver(() => this.#resize()).observe(this.element);
    this.#resize();
    editor.watch((touched) => this.#documentChanged(touched));
  }

  /** Draw again before the next frame. */
  invalidate() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** @param {Camera} camera */
  setCamera(camera) {
    this.camera = camera;
    this.invalidate();
  }

  /** Zoom by a factor about a point of the screen. @param {Point} at @param {number} factor */
  zoom(at, factor) {
    this.setCamera(cameras.zoomAt(this.camera, at, factor));
  }

  /** Show all nodes, or some. @param {Iterable<string>} [ids] */
  fit(ids) {
    if (this.size.w === 0) {
      this.#fitWanted = true;
      return;
    }
    const { nodes } = this.#editor.scene;
    const box = union(ids ? [...ids].flatMap((id) => nodes.box(id) ?? []) : nodes.boxes());
    if (box) this.setCamera(cameras.fit({ ...box, h: box.h + STATUS }, this.size));
    else this.setCamera({ x: 0, y: 0, scale: 1 });
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
    this.setCamera({ x: this.size.w / 2 - centre.x * scale, y: this.size.h / 2 - centre.y * scale, scale });
  }

  /** Put the keyboard focus on a node, once it is drawn. @param {string} id */
  focus(id) {
    requestAnimationFrame(() => this.#mounted.get(id)?.element.focus({ preventScroll: true }));
  }

  /** Whether the pointer is over the graph and the keyboard is not moving about in it. */
  get pointing() {
    const active = document.activeElement;
    if (active?.matches(":focus-visible")) return false;
    return this.element.matches(":hover") && (active === document.body || active === this.element || active?.classList.contains("node") === true);
  }

  /** The DOM node, when the node has one now. @param {string} id */
  nodeView(id) {
    return this.#mounted.get(id);
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
    this.invalidate();
  }

  /** Light the ports that fit. @param {((ref: PortRef) => string | null) | null} refusalOf */
  light(refusalOf) {
    this.#refusalOf = refusalOf;
    for (const node of this.#mounted.values()) node.light(refusalOf);
  }

  /** Say how to begin, where there is nothing yet. @param {boolean} empty */
  showHint(empty) {
    this.#hint.toggleAttribute("hidden", !empty);
  }

  /** Selection, run state or problems changed. */
  statusChanged() {
    const { run, problems } = this.#status();
    const selection = this.#editor.selection.peek();
    for (const [id, node] of this.#mounted) {
      node.select(selection.has(id));
      node.showRun(run.nodes.get(id), problems.get(id) ?? NO_PROBLEMS);
    }
    this.invalidate();
  }

  /** @param {ReadonlySet<string> | null} touched */
  #documentChanged(touched) {
    if (touched === null) {
      for (const id of [...this.#mounted.keys()]) this.#unmount(id);
    } else {
      for (const id of touched) {
        if (!this.#editor.document.nodes.has(id)) this.#unmount(id);
        for (const near of this.#neighbours(id)) this.#mounted.get(near)?.update();
      }
      this.statusChanged();
    }
    this.invalidate();
  }

  /** A node, and the nodes whose ports show that they are linked to it. @param {string} id */
  #neighbours(id) {
    const inputs = Object.values(this.#editor.document.nodes.get(id)?.inputs ?? {});
    const sources = inputs.map((value) => /** @type {{node?: string} | null} */ (value)?.node).filter((node) => typeof node === "string");
    return new Set([id, ...sources, ...[...this.#editor.document.readers(id)].map((reader) => reader.id)]);
  }

  #resize() {
    const { clientWidth: w, clientHeight: height } = this.element;
    if (w === 0 || height === 0) return;
    this.size = { w, h: height };
    this.#ratio = devicePixelRatio || 1;
    for (const canvas of [this.#scene, this.#overlayCanvas]) {
      canvas.width = Math.round(w * this.#ratio);
      canvas.height = Math.round(height * this.#ratio);
    }
    if (this.#fitWanted) {
      this.#fitWanted = false;
      this.fit();
    }
    if (this.#frame) cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#draw();
  }

  #draw() {
    if (this.size.w === 0) return;
    if ((devicePixelRatio || 1) !== this.#ratio) this.#resize();
    const { x, y, scale } = this.camera;
    this.#nodes.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.#mount();
    const theme = (this.#theme ??= readTheme(this.element));
    const { run, problems } = this.#status();
    paintScene({
      ctx: context(this.#scene),
      size: this.size,
      ratio: this.#ratio,
      camera: this.camera,
      theme,
      editor: this.#editor,
      run,
      failing: new Set(problems.keys()),
      mounted: this.#mountedIds,
      hovered: this.hoveredWire,
    });
    this.#drawOverlay(theme);
  }

  /** Give the readable nodes on screen their DOM, within the slice of a frame, and take it from those long gone. */
  #mount() {
    const seen = cameras.visible(this.camera, this.size);
    const margin = MARGIN / this.camera.scale;
    const area = { x: seen.x - margin, y: seen.y - margin, w: seen.w + 2 * margin, h: seen.h + 2 * margin };
    /** @type {Set<string>} */
    const wanted = this.camera.scale >= READABLE ? this.#editor.scene.nodes.query(area) : new Set();
    for (const [id, node] of this.#mounted) {
      if (!wanted.has(id) && !node.element.contains(document.activeElement)) this.#unmount(id);
    }
    const until = performance.now() + (this.#mounted.size === 0 ? 5 * SLICE : SLICE);
    for (const id of this.#inReadingOrder(wanted)) {
      if (performance.now() > until) {
        this.invalidate();
        return;
      }
      const { run, problems } = this.#status();
      const node = new NodeView(id, this.#editor, this.#services);
      node.select(this.#editor.selection.peek().has(id));
      node.showRun(run.nodes.get(id), problems.get(id) ?? NO_PROBLEMS);
      if (this.#refusalOf) node.light(this.#refusalOf);
      this.#mounted.set(id, node);
      this.#mountedIds.add(id);
      this.#nodes.append(node.element);
    }
  }

  /** Nodes still without DOM, left to right and top to bottom: the order in which Tab will visit them. @param {Set<string>} ids */
  #inReadingOrder(ids) {
    const place = (/** @type {string} */ id) => /** @type {Box} */ (this.#editor.scene.nodes.box(id));
    return [...ids].filter((id) => !this.#mounted.has(id)).sort((a, b) => place(a).x - place(b).x || place(a).y - place(b).y);
  }

  /** @param {string} id */
  #unmount(id) {
    this.#mounted.get(id)?.element.remove();
    this.#mounted.delete(id);
    this.#mountedIds.delete(id);
  }

  /** @param {import("./theme.js").Theme} theme */
  #drawOverlay(theme) {
    const ctx = context(this.#overlayCanvas);
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, this.#overlayCanvas.width, this.#overlayCanvas.height);
    ctx.scale(this.#ratio, this.#ratio);
    const { link, box } = this.#overlay;
    if (link) {
      const [from, to] = [link.from, link.to].map((point) => cameras.toScreen(this.camera, point));
      ctx.strokeStyle = theme.port(link.type);
      ctx.lineWidth = 2.5;
      ctx.lineCap = "round";
      ctx.beginPath();
      trace(ctx, link.reversed ? to : from, link.reversed ? from : to);
      ctx.stroke();
    }
    if (box) {
      ctx.strokeStyle = theme.accent;
      ctx.fillStyle = theme.accent;
      ctx.lineWidth = 1;
      ctx.strokeRect(box.x + 0.5, box.y + 0.5, box.w, box.h);
      ctx.globalAlpha = 0.1;
      ctx.fillRect(box.x, box.y, box.w, box.h);
      ctx.globalAlpha = 1;
    }
  }
}

/** @param {HTMLCanvasElement} canvas */
const context = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
