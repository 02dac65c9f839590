/** The library of nodes: every kind by category, the components of the workflow and those kept; to drag from. */

import { ApiError } from "../api.js";
import { componentName, isComponent, usableIn } from "../core/components.js";
import { categoryLabel, helpOf } from "../core/naming.js";
import { NodeIndex } from "../core/search.js";
import { WORDS } from "../core/words.js";
import { effect, signal } from "../core/store.js";
import { t } from "../core/strings.js";
import { button, h } from "../dom.js";
import { forget, kept, take } from "../library.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {NodeSpec, Point} from "../core/types.js" */

/** What a drag from the library carries: the kind of node, or the name of a kept component. */
const KIND = "application/x-weft-node";
const KEPT = "application/x-weft-component";

/** @param {Parts} parts */
export function nodesPanel(parts) {
  const { editor, view, dock } = parts;
  const filter = h("input", { class: "field", type: "search", "aria-label": t("library.filter"), placeholder: t("library.filter") });
  const list = h("div", { class: "library" });
  const names = signal(/** @type {readonly string[]} */ ([]));
  const wanted = signal("");
  filter.addEventListener("input", () => (wanted.value = filter.value));
  const fetchKept = async () => {
    try {
      names.value = await kept();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      parts.notify(error.message);
    }
  };
  effect(() => {
    if (dock.shown.left.value === "nodes") void fetchKept();
  });
  let shown = "";
  effect(() => {
    const { catalogue, document } = editor;
    const components = editor.version.value >= 0 ? usableIn(document) : [];
    const now = JSON.stringify([catalogue.specs.size, components, names.value, wanted.value]);
    if (now === shown) return;
    shown = now;
    list.replaceChildren(...content(parts, wanted.value, components, names.value, fetchKept));
  });
  listenToDrops(parts);
  view.element.dataset.library = "";
  return h("div", { class: "dock-body" }, filter, h("p", { class: "quiet" }, t("library.drag")), list);
}

/** @param {Parts} parts @param {string} wanted @param {readonly string[]} components @param {readonly string[]} names @param {() => Promise<void>} changed @returns {Node[]} */
function content(parts, wanted, components, names, changed) {
  const { catalogue, document } = parts.editor;
  const instances = components.map((name) => catalogue.specOfComponent(document, name));
  if (wanted.trim() !== "") {
    const found = new NodeIndex([...catalogue.specs.values(), ...instances], WORDS).find(wanted).slice(0, 80);
    return [h("ul", {}, ...found.map((spec) => nodeItem(parts, spec)))];
  }
  /** @type {Map<string, NodeSpec[]>} */
  const categories = new Map();
  for (const spec of catalogue.specs.values()) categories.set(spec.category, [...(categories.get(spec.category) ?? []), spec]);
  const sections = [...categories].sort(([a], [b]) => a.localeCompare(b)).map(([category, specs]) => {
    const sorted = specs.sort((a, b) => a.title.localeCompare(b.title));
    return section(categoryLabel(category), sorted.map((spec) => nodeItem(parts, spec)));
  });
  return [
    ...(instances.length > 0 ? [section(t("library.components"), instances.map((spec) => nodeItem(parts, spec)), true)] : []),
    ...(names.length > 0 ? [section(t("library.kept"), names.map((name) => keptItem(parts, name, changed)), true)] : []),
    ...sections,
  ];
}

/** @param {string} title @param {readonly Node[]} items @param {boolean} open */
const section = (title, items, open = false) => h("details", { open }, h("summary", {}, title, h("small", {}, String(items.length))), h("ul", {}, ...items));

/** @param {Parts} parts @param {NodeSpec} spec */
function nodeItem(parts, spec) {
  const item = draggable(spec.title, KIND, spec.id, () => addNode(parts, spec, spot(parts)));
  item.title = helpOf(spec);
  return h("li", {}, item);
}

/** @param {Parts} parts @param {string} name @param {() => Promise<void>} changed */
function keptItem(parts, name, changed) {
  const remove = button({ label: t("library.remove", { name }), icon: "close", class: "button small" }, () => void forget(name).then(changed));
  return h("li", { class: "file-row" }, draggable(name, KEPT, name, () => void addKept(parts, name, spot(parts))), remove);
}

/** @param {string} text @param {string} type @param {string} data @param {() => void} press */
function draggable(text, type, data, press) {
  const item = h("button", { type: "button", class: "choice-item", draggable: "true" }, text);
  item.addEventListener("dragstart", (event) => event.dataTransfer?.setData(type, data));
  item.addEventListener("click", press);
  return item;
}

/** @param {Parts} parts */
function listenToDrops(parts) {
  const { view, editor } = parts;
  const typeOf = (/** @type {DragEvent} */ event) => [KIND, KEPT].find((type) => event.dataTransfer?.types.includes(type));
  view.element.addEventListener("dragover", (event) => typeOf(event) && event.preventDefault());
  view.element.addEventListener("drop", (event) => {
    const type = typeOf(event);
    if (!type) return;
    event.preventDefault();
    const data = event.dataTransfer?.getData(type) ?? "";
    const at = view.toWorld(view.pointOf(event));
    if (type === KEPT) return void addKept(parts, data, at);
    const spec = isComponent(data) ? editor.catalogue.specOfComponent(editor.document, componentName(data)) : editor.catalogue.specs.get(data);
    if (spec) addNode(parts, spec, at);
  });
}

/** @param {Parts} parts @param {NodeSpec} spec @param {Point} at */
function addNode({ editor, view }, spec, at) {
  const id = editor.add(spec, { x: Math.round(at.x), y: Math.round(at.y) });
  view.reveal(id);
  view.focus(id);
}

/** @param {Parts} parts @param {string} name @param {Point} at */
async function addKept({ editor, notify }, name, at) {
  try {
    editor.paste(await take(name), at);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    notify(error.message);
  }
}

/** @param {Parts} parts @returns {Point} */
const spot = ({ view, pointer }) => view.toWorld(pointer());
