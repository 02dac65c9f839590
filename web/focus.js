/**
 * Where the keyboard is. When what it was on is gone or is no longer selected, it goes to what is selected now, else to the
 * canvas; when an edit leaves nothing selected, the node it is on is. Escape leads out of a field to its node, and out of a panel back to the graph; arrows move the view where nothing
 * is selected; one key goes round the parts of the page.
 */

import { pan } from "./core/camera.js";
import { effect } from "./core/store.js";
import { isEditing } from "./dom.js";
import { viewOf } from "./settings.js";

/** @import {Parts} from "./actions/action.js" */

/** The parts of the page, in the order of the eye. */
const PLACES = ".bar, .tab-bar, .rail, .dock, .canvas, .form, .panel";
const CONTROLS = ':is(button, input, select, textarea, [tabindex="0"]):not(:disabled, [tabindex="-1"])';

/** How far an arrow moves the view, in pixels. */
const PAN = 64;
/** How far from the edge of the view comes what Tab leads to. */
const MARGIN = 16;

/** What had the focus last in each part. @type {WeakMap<Element, WeakRef<HTMLElement>>} */
const visited = new WeakMap();

/** @param {Parts} parts */
export function keepFocus(parts) {
  const { view } = parts;
  addEventListener("focusin", ({ target }) => {
    const place = target instanceof HTMLElement ? target.closest(PLACES) : null;
    if (place) visited.set(place, new WeakRef(/** @type {HTMLElement} */ (target)));
  });
  view.element.addEventListener("keydown", (event) => {
    const target = /** @type {Element} */ (event.target);
    const node = /** @type {HTMLElement | null} */ (target.closest(".node"));
    if (!leaves(event) || !node || target === node) return;
    event.preventDefault();
    node.focus({ preventScroll: true });
  });
  addEventListener("keydown", (event) => {
    if (!leaves(event) || !(/** @type {Element} */ (event.target).closest(".dock, .panel"))) return;
    event.preventDefault();
    enter(/** @type {HTMLElement} */ (document.querySelector(viewOf(parts.settings) === "form" ? ".form" : ".canvas")));
  });
  view.element.addEventListener("keydown", (event) => panByKeys(parts, event));
  let pressed = "";
  addEventListener("keydown", ({ key }) => (pressed = key), { capture: true });
  addEventListener("pointerdown", () => (pressed = ""), { capture: true });
  addEventListener("keydown", (event) => {
    const { key } = event;
    if ((key === "Tab" && !event.defaultPrevented) || key === "F6" || (event.altKey && key.startsWith("Arrow"))) view.walked = true;
  });
  const point = (/** @type {PointerEvent} */ { movementX, movementY, type }) => {
    if (movementX !== 0 || movementY !== 0 || type === "pointerdown") view.walked = false;
  };
  addEventListener("pointermove", point, { capture: true, passive: true });
  addEventListener("pointerdown", point, { capture: true });
  view.element.addEventListener("focusin", ({ target }) => {
    if (pressed === "Tab" && target instanceof Element && target !== view.element) uncover(view, target);
  });
  followSelection(parts, () => pressed !== "");
  followView(parts, () => pressed !== "");
}

/** Move the view so far that an element in it is on screen. @param {Parts["view"]} view @param {Element} element */
function uncover(view, element) {
  const [box, room] = [element.getBoundingClientRect(), view.element.getBoundingClientRect()];
  const shift = (/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ least, /** @type {number} */ most) =>
    from < least + MARGIN ? least + MARGIN - from : Math.min(0, Math.max(most - MARGIN - to, least + MARGIN - from));
  const [x, y] = [shift(box.left, box.right, room.left, room.right), shift(box.top, box.bottom, room.top, room.bottom)];
  const covered = box.left < room.left || box.right > room.right || box.top < room.top || box.bottom > room.bottom;
  if (covered) view.glide(pan(view.camera, x, y));
}

/** Where nothing is selected, arrows move the view. @param {Parts} parts @param {KeyboardEvent} event */
function panByKeys({ editor, view }, event) {
  const way = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
  const chosen = editor.selection.peek().size > 0 || editor.selectedFrame.peek() !== null;
  if (!way || chosen || isEditing(event.target) || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  event.preventDefault();
  view.setCamera(pan(view.camera, way[0] * PAN, way[1] * PAN));
}

/** Escape that nothing else took; a search that has words is emptied first. @param {KeyboardEvent} event */
const leaves = (event) =>
  event.key === "Escape" && !event.defaultPrevented && !event.isComposing && !document.querySelector("dialog[open]") &&
  !(event.target instanceof HTMLInputElement && event.target.type === "search" && event.target.value !== "");

/** Put the focus where it last was in a part of the page, else at its beginning. @param {HTMLElement} place */
function enter(place) {
  const last = visited.get(place)?.deref();
  if (last?.isConnected && place.contains(last) && last.checkVisibility()) return last.focus({ preventScroll: true });
  const first = place.matches(CONTROLS) ? place : /** @type {HTMLElement | null} */ (place.querySelector(CONTROLS));
  first?.focus({ preventScroll: true });
}

/** Go to the next part of the page. @param {1 | -1} way */
export function goRound(way) {
  const places = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(PLACES)].filter((place) => place.checkVisibility()));
  const at = places.findIndex((place) => place.contains(document.activeElement));
  enter(places[(at < 0 ? (way > 0 ? 0 : places.length - 1) : at + way + places.length) % places.length]);
}

/** @param {Parts} parts @param {() => boolean} byKeys */
function followSelection({ editor, view }, byKeys) {
  const nodeAt = (/** @type {Element | null} */ element) => element?.closest("[data-node]")?.getAttribute("data-node") ?? null;
  let inside = view.element.contains(document.activeElement);
  /** The node that has or had the focus; its element may be another one by now. */
  let last = nodeAt(document.activeElement);
  let sheet = [editor.document, editor.document.level];
  let version = editor.version.peek();
  addEventListener("focusin", ({ target }) => {
    // A dialog gives the focus back to where it was opened, which may be gone.
    if (!(target instanceof Element) || target.closest("dialog")) return;
    inside = view.element.contains(target);
    last = nodeAt(target);
  });
  const follow = () => {
    const before = sheet;
    sheet = [editor.document, editor.document.level];
    const active = document.activeElement;
    const ids = editor.selection.peek();
    const lost = inside && active === document.body;
    const same = sheet.every((part, index) => part === before[index]);
    const id = lost && same ? last : nodeAt(active);
    const gone = id !== null && !editor.document.nodes.has(id);
    const left = id !== null && ids.size > 0 && !ids.has(id) && !isEditing(active);
    const arrived = active === view.element && !same;
    const edited = version !== editor.version.peek();
    version = editor.version.peek();
    const none = ids.size === 0 && editor.selectedWire.peek() === null && editor.selectedFrame.peek() === null;
    if (byKeys() && edited && none && id !== null && editor.document.nodes.has(id)) return editor.select([id]);
    if (!byKeys() || !(gone || lost || left || arrived)) return;
    const target = [...ids].at(-1);
    if (target !== undefined) {
      if (same) view.reveal(target);
      view.focus(target);
    }
    if (document.activeElement === document.body || (gone && document.activeElement === active)) view.element.focus({ preventScroll: true });
  };
  effect(() => {
    editor.selection.value;
    editor.version.value;
    // Once the nodes are shown as the edit left them, and the focus that leaves a field with it is where it goes.
    setTimeout(follow);
  });
}

/** Between graph and form the focus goes along. @param {Parts} parts @param {() => boolean} byKeys */
function followView({ settings }, byKeys) {
  let shown = viewOf(settings);
  effect(() => {
    const now = viewOf(settings);
    if (now === shown) return;
    shown = now;
    const arrive = () => {
      const place = /** @type {HTMLElement | null} */ (document.querySelector(now === "form" ? ".form" : ".canvas"));
      if (place && byKeys() && (document.activeElement === document.body || !document.activeElement?.checkVisibility())) enter(place);
    };
    void import("./panels/form.js").then(() => requestAnimationFrame(arrive));
  });
}
