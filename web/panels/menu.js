/** The menu of what was right-clicked: commands that can be used on it, as a list to walk with the keys. */

import { TINTS, tintOf } from "../core/colours.js";
import { unlink } from "../core/edits.js";
import { frameAt, membersOf } from "../core/frames.js";
import { demote, indexOf, promote } from "../core/interface.js";
import { linksOf } from "../core/level.js";
import { portLabel } from "../core/naming.js";
import { t } from "../core/strings.js";
import { addPort } from "../core/ports.js";
import { beginSweep } from "../core/sweep.js";
import { keyLabel } from "../actions/keys.js";
import { h, placeAt } from "../dom.js";
import { learnAll } from "../language.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {PortRef} from "../core/types.js" */

await learnAll();
/** @typedef {{label: string, keys?: string, run: () => void} | "line" | HTMLElement} Item */

const OF_NODES = ["rename", "swap", "duplicate", "", "enter", "unpack", "component", "keepComponent", "frame", "selectFrame", "", "mute", "bypass", "collapse", "pin", "", "deleteKeep", "delete"];
const OF_FRAMES = ["nameFrame", "fitFrame", "unframe", "", "duplicate", "delete"];
const OF_LINKS = ["insertNode", "addReroute", "relink", "", "delete"];
const OF_CANVAS = ["addNode", "addNote", "", "selectAll", "arrange", "fit", "minimap", "leave"];
const OF_SEVERAL = ["align.left", "align.centre", "align.right", "align.top", "align.middle", "align.bottom", "distribute.x", "distribute.y"];

/** @param {Parts} parts @param {MouseEvent} event */
export function openMenu(parts, event) {
  const items = itemsAt(parts, event);
  const menu = h("div", { class: "menu", role: "menu", popover: "auto", "aria-label": t("menu.title") }, ...items.map((item) => elementOf(item, () => menu.hidePopover())));
  const focused = document.activeElement;
  menu.addEventListener("keydown", (key) => walk(menu, key));
  menu.addEventListener("toggle", (toggled) => {
    if (/** @type {ToggleEvent} */ (toggled).newState !== "closed") return;
    menu.remove();
    if (focused instanceof HTMLElement && (document.activeElement === document.body || document.activeElement === null)) focused.focus({ preventScroll: true });
  });
  document.body.append(menu);
  menu.showPopover();
  placeAt(menu, { x: event.clientX, y: event.clientY });
  /** @type {HTMLElement | null} */ (menu.querySelector('[role="menuitem"]'))?.focus();
}

/** Select what lies there, or with keys take what is selected, and say what can be done with it. @param {Parts} parts @param {MouseEvent} event @returns {Item[]} */
function itemsAt(parts, event) {
  const { editor, view } = parts;
  const target = /** @type {Element} */ (event.target);
  const byKeys = event.button < 0;
  if (byKeys && editor.selectedFrame.peek() !== null && !target.closest(".row")) return [...commands(parts, OF_FRAMES), colours(parts)];
  if (byKeys && editor.selectedWire.peek() !== null) return commands(parts, OF_LINKS);
  const world = view.toWorld(view.pointOf(event));
  const selected = byKeys ? [...editor.selection.peek()].at(-1) : undefined;
  const id = target.closest("[data-node]")?.getAttribute("data-node") ?? selected ?? (byKeys ? null : editor.scene.nodeAt(world));
  if (id !== null) {
    if (!editor.selection.value.has(id)) editor.select([id]);
    const port = portAt(parts, id, target, event);
    const several = editor.selection.value.size > 1 ? [/** @type {const} */ ("line"), ...commands(parts, OF_SEVERAL)] : [];
    return [...(port ? portItems(parts, port) : []), ...commands(parts, OF_NODES), ...several, colours(parts)];
  }
  if (byKeys) return commands(parts, OF_CANVAS);
  const wire = editor.scene.wireAt(world, 6 / view.camera.scale);
  if (wire) {
    editor.selectWire(wire.key);
    return commands(parts, OF_LINKS);
  }
  const frame = frameAt(editor.document, world);
  if (!frame) return commands(parts, OF_CANVAS);
  editor.selectFrame(frame.id, membersOf(editor.document, frame.id));
  return [...commands(parts, OF_FRAMES), colours(parts)];
}

/** The port that was clicked, or that of the row. @param {Parts} parts @param {string} id @param {Element} target @param {MouseEvent} event @returns {PortRef | null} */
function portAt({ editor, view }, id, target, event) {
  const near = event.button < 0 ? null : editor.scene.portAt(view.toWorld(view.pointOf(event)), 14);
  if (near?.node === id) return near;
  const name = target.closest(".row")?.querySelector("[data-port]")?.getAttribute("data-port");
  return editor.scene.ports(id).find((ref) => ref.side === "input" && ref.port === name) ?? null;
}

/** What can be done with a port. @param {Parts} parts @param {PortRef} port @returns {Item[]} */
export function portItems({ editor, actions }, { node, port, side }) {
  const { document } = editor;
  const values = { name: portLabel(port) };
  /** @type {Item[]} */
  const items = [];
  const spec = editor.scene.spec(node);
  const input = side === "input" ? spec.inputs.find((each) => each.name === port) : undefined;
  if (input?.widget && document.level === "") {
    const shown = indexOf(document, node, port) >= 0;
    if (shown) items.push({ label: t("parameters.demote", values), run: () => editor.edit(demote(document, node, port)) });
    else items.push({ label: t("parameters.promote", values), run: () => editor.edit(promote(document, node, port)) });
    if (linksOf(document.input(node, port)).length === 0) items.push({ label: t("sweep.start", values), run: () => editor.edit(beginSweep(document.nodes.get(node), node, input)) });
  }
  if (document.level !== "") {
    items.push({ label: t("ports.add", values), run: () => editor.edit(addPort(document, document.level, side === "input" ? "inputs" : "outputs", node, port)) });
  }
  const linked = input !== undefined && linksOf(document.input(node, port)).length > 0;
  const wire = linked ? [...editor.scene.wiresOf(node)].map((key) => editor.scene.wire(key)).find((each) => each?.id === node && each.name === port) : undefined;
  if (wire) items.push({ label: t("action.addReroute"), run: () => (editor.selectWire(wire.key), actions.get("addReroute")?.run()) });
  if (linked) items.push({ label: t("menu.unlink"), run: () => editor.unlink(node, port) });
  else if (input?.widget && document.input(node, port) !== undefined) items.push({ label: t("menu.reset"), run: () => editor.edit(unlink(node, port, spec)) });
  return items.length > 0 ? [...items, "line"] : [];
}

/** Those of the commands that can be used now; "" for a line. @param {Parts} parts @param {readonly string[]} ids @returns {Item[]} */
function commands({ actions }, ids) {
  const items = ids.flatMap((id) => {
    const action = actions.get(id);
    if (id !== "" && !action?.enabled()) return [];
    return [/** @type {Item} */ (action ? { label: t(action.title), keys: action.keys[0], run: action.run } : "line")];
  });
  return items.filter((item, index) => item !== "line" || (index > 0 && items[index - 1] !== "line" && index < items.length - 1));
}

/** @param {Parts} parts @returns {HTMLElement} */
function colours({ actions }) {
  const dots = ["none", ...TINTS].map((tint) => {
    const action = actions.get(`colour.${tint}`);
    const dot = h("button", { type: "button", class: "menu-colour", role: "menuitem", tabindex: -1, "aria-label": action ? t(action.title) : tint, title: action ? t(action.title) : tint });
    const shade = tintOf(tint);
    if (shade) dot.style.setProperty("--tint", `light-dark(${shade.light}, ${shade.dark})`);
    dot.addEventListener("click", () => {
      action?.run();
      /** @type {HTMLElement | null} */ (dot.closest("[popover]"))?.hidePopover();
    });
    return dot;
  });
  return h("div", { class: "menu-colours", role: "group", "aria-label": t("colour.title") }, ...dots);
}

/** @param {Item} item @param {() => void} close */
function elementOf(item, close) {
  if (item === "line") return h("div", { class: "menu-line", role: "separator" });
  if (item instanceof HTMLElement) return item;
  const element = h("button", { type: "button", class: "menu-item", role: "menuitem", tabindex: -1 }, h("span", {}, item.label), item.keys ? h("kbd", {}, keyLabel(item.keys)) : null);
  element.addEventListener("click", () => {
    close();
    item.run();
  });
  element.addEventListener("pointermove", () => element.focus({ preventScroll: true }));
  return element;
}

/** Arrows walk through the items, letters go to the next that begins so. @param {HTMLElement} menu @param {KeyboardEvent} event */
function walk(menu, event) {
  event.stopPropagation();
  const items = /** @type {HTMLElement[]} */ ([...menu.querySelectorAll('[role="menuitem"]')]);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const forward = event.key === "ArrowDown" || event.key === "ArrowRight";
  const back = event.key === "ArrowUp" || event.key === "ArrowLeft";
  if (event.key === "Escape" || event.key === "Tab") menu.hidePopover();
  else if (event.key === "Home") items[0]?.focus();
  else if (event.key === "End") items.at(-1)?.focus();
  else if (forward || back) items[(at + (forward ? 1 : -1) + items.length) % items.length]?.focus();
  else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && event.key !== " ") {
    [...items.slice(at + 1), ...items.slice(0, at + 1)].find((item) => (item.textContent ?? "").toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
  } else return;
  event.preventDefault();
}
