/** Turns pointer, wheel and touch on the view into gestures, each of them a tool. Inputs inside nodes keep their own events. */

import * as cameras from "../core/camera.js";
import { isEditing } from "../dom.js";
import { frameAt } from "../core/frames.js";
import { pinch, wheel } from "./gestures.js";
import { toolFor } from "../tools/idle.js";
import { editTitle } from "../tools/title.js";
import { panTool } from "../tools/pan.js";
import { apart, edgePull } from "../tools/tool.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {Point} from "../core/types.js" */
/** @import {Bench, Request, Tool} from "../tools/tool.js" */
/** @import {View} from "./view.js" */

export class Input {
  #view;
  #editor;
  #bench;
  #ask;
  /** @type {Tool | null} */
  #tool = null;
  #pointer = -1;
  /** Where the last press was. @type {Point} */
  #press = { x: 0, y: 0 };
  #space = false;
  #edge = 0;
  /** Touch points by pointer id, for pinching. @type {Map<number, Point>} */
  #touches = new Map();
  /** Where the pointer last was over the view. @type {Point | null} */
  pointer = null;

  /** @param {View} view @param {Editor} editor @param {(request: Request) => void} ask @param {(event: MouseEvent) => void} menu @param {() => boolean} snaps */
  constructor(view, editor, ask, menu, snaps) {
    this.#view = view;
    this.#editor = editor;
    this.#ask = ask;
    /** @type {Bench} */
    this.#bench = { view, editor, ask, snaps };
    const { element } = view;
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#up(event));
    element.addEventListener("pointercancel", (event) => this.#up(event));
    element.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.#hover(null);
    });
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    for (const kind of /** @type {const} */ (["mousedown", "mouseup"])) {
      element.addEventListener(kind, (event) => {
        if (event.button === 1) event.preventDefault();
      });
    }
    element.addEventListener("contextmenu", (event) => this.#contextMenu(event, menu));
    element.addEventListener("dblclick", (event) => this.#doubleClick(event));
    element.addEventListener("focusin", (event) => this.#focused(event));
    addEventListener("keydown", (event) => this.#space_(event, true));
    addEventListener("keyup", (event) => this.#space_(event, false));
    addEventListener("blur", () => this.#hold(false));
    addEventListener("keydown", (event) => this.#keyed(event), { capture: true });
  }

  /** Give up the gesture in progress. */
  cancel() {
    this.#tool?.cancel();
    this.#tool = null;
  }

  /** @param {KeyboardEvent} event @param {boolean} down */
  #space_(event, down) {
    if (event.code !== "Space") return;
    const free = event.target === this.#view.element || event.target === document.body;
    if (down && !free) return;
    if (down) event.preventDefault();
    this.#hold(down);
  }

  /** @param {boolean} down  whether the key is that asks for moving the view */
  #hold(down) {
    this.#space = down;
    this.#view.element.classList.toggle("panning", down);
  }

  /** While a gesture lasts no key begins anything else; Escape and undo take it back. @param {KeyboardEvent} event */
  #keyed(event) {
    const back = event.key === "Escape" || ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z");
    if (!this.#tool || (isEditing(event.target) && !back)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (back) this.cancel();
  }

  /** @param {PointerEvent} event */
  #down(event) {
    const at = this.#view.pointOf(event);
    if (!this.#tool) this.#press = at;
    if (event.pointerType === "touch" && this.#pinching(event, at)) return;
    if (this.#tool) return;
    const target = /** @type {Element} */ (event.target);
    const tool = toolFor(this.#bench, target, at, event, this.#space);
    if (!tool) return;
    this.#tool = tool;
    this.#pointer = event.pointerId;
    this.#hover(null);
    this.#view.element.setPointerCapture(event.pointerId);
    if (event.button === 0 && !target.closest("[data-node]")) event.preventDefault();
    if (!target.closest("[data-node]")) this.#view.element.focus({ preventScroll: true });
  }

  /** A right press that began a gesture opens no menu, a finger held still does; in a text the browser's own is wanted. @param {MouseEvent} event @param {(event: MouseEvent) => void} menu */
  #contextMenu(event, menu) {
    if (isEditing(event.target) && !(/** @type {Element} */ (event.target).matches("select, [role=spinbutton]"))) return;
    event.preventDefault();
    if (/** @type {PointerEvent} */ (event).pointerType === "touch") {
      this.cancel();
      // Once the finger is up, which would count as a press outside the menu.
      addEventListener("pointerup", () => setTimeout(() => menu(event)), { once: true });
    } else if (!this.#tool && !event.altKey && !event.ctrlKey) menu(event);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const at = this.#view.pointOf(event);
    this.pointer = at;
    if (this.#touches.size === 2) return this.#pinch(event, at);
    if (this.#tool && event.pointerId === this.#pointer) {
      this.#tool.move(at, event);
      this.#follow(at, event);
    } else if (!this.#tool) {
      const world = this.#view.toWorld(at);
      const onNode = (event.target instanceof Element && event.target.closest("[data-node]")) || this.#editor.scene.nodeAt(world) !== null;
      this.#hover(onNode ? null : (this.#editor.scene.wireAt(world, 6 / this.#view.camera.scale)?.key ?? null));
      this.#view.element.dataset.frame = onNode ? "" : (frameAt(this.#editor.document, world)?.part ?? "");
    }
  }

  /** Near an edge the view moves along, for as long as the pointer stays there. @param {Point} at @param {PointerEvent} event */
  #follow(at, event) {
    cancelAnimationFrame(this.#edge);
    if (!apart(this.#press, at)) return;
    const { x, y } = edgePull(at, this.#view.size);
    if (!this.#tool?.follows || (x === 0 && y === 0)) return;
    this.#edge = requestAnimationFrame(() => {
      if (!this.#tool) return;
      this.#view.setCamera(cameras.pan(this.#view.camera, -x, -y));
      this.#tool.move(at, event);
      this.#follow(at, event);
    });
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (this.#touches.delete(event.pointerId) && this.#touches.size === 1 && !this.#tool) {
      for (const [id, at] of this.#touches) [this.#pointer, this.#tool] = [id, panTool(this.#bench, at, () => {})];
    }
    if (event.pointerId !== this.#pointer || !this.#tool) return;
    const tool = this.#tool;
    this.#tool = null;
    if (event.type === "pointercancel") tool.cancel();
    else tool.end(this.#view.pointOf(event), event);
  }

  /** @param {string | null} wire */
  #hover(wire) {
    if (wire === this.#view.hoveredWire) return;
    this.#view.hoveredWire = wire;
    this.#view.element.classList.toggle("on-wire", wire !== null);
    this.#view.invalidate();
  }

  /** A second finger ends the first one's gesture, also that of a control, and starts a pinch. @param {PointerEvent} event @param {Point} at */
  #pinching(event, at) {
    if (event.isPrimary) this.#touches.clear();
    this.#touches.set(event.pointerId, at);
    if (this.#touches.size < 2) return false;
    this.cancel();
    for (const id of this.#touches.keys()) this.#view.element.setPointerCapture(id);
    return true;
  }

  /** @param {PointerEvent} event @param {Point} at */
  #pinch(event, at) {
    const before = this.#touches.get(event.pointerId);
    const other = [...this.#touches].find(([id]) => id !== event.pointerId)?.[1];
    this.#touches.set(event.pointerId, at);
    if (!before || !other) return;
    this.#view.setCamera(pinch(this.#view.camera, before, at, other));
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (scrolls(event)) return;
    event.preventDefault();
    const at = this.#view.pointOf(event);
    this.#view.setCamera(wheel(this.#view.camera, event, at));
    this.#tool?.move(at, event);
  }

  /**
   * Captured pointers send their clicks to the view, so what lies under the point is looked up. To the browser a click and a
   * drag soon after it are a double click, too.
   * @param {MouseEvent} event
   */
  #doubleClick(event) {
    if (apart(this.#press, this.#view.pointOf(event))) return;
    const target = document.elementFromPoint(event.clientX, event.clientY) ?? this.#view.element;
    const editor = this.#editor;
    const at = this.#view.pointOf(event);
    const world = this.#view.toWorld(at);
    const id = target.closest("[data-node]")?.getAttribute("data-node");
    if (id) return target.closest(".node-head") && this.#open(id);
    if (editor.scene.nodeAt(world) !== null) return;
    const wire = editor.scene.wireAt(world, 6 / this.#view.camera.scale);
    const frame = frameAt(editor.document, world);
    if (wire) editor.addReroute(wire, world);
    else if (frame) editTitle(this.#view, editor, frame.id);
    else this.#ask({ at, from: null });
  }

  /** A component is opened, any other node gets a name. @param {string} id */
  #open(id) {
    if (this.#editor.scene.spec(id).component === undefined) return this.#view.nodeView(id)?.editTitle();
    this.#editor.enter(id);
    this.#view.fit();
  }

  /** Reaching a node by keyboard, or a field in it, selects the node. @param {FocusEvent} event */
  #focused(event) {
    if (this.#tool) return;
    const id = /** @type {Element} */ (event.target).closest("[data-node]")?.getAttribute("data-node");
    if (id && !this.#editor.selection.value.has(id)) this.#editor.select([id]);
  }
}

/** Whether the wheel belongs to a text box in use that has more text than it shows. @param {WheelEvent} event */
const scrolls = (event) =>
  isEditing(event.target) && event.target === document.activeElement && event.target instanceof HTMLTextAreaElement &&
  event.target.scrollHeight > event.target.clientHeight && !event.ctrlKey;
