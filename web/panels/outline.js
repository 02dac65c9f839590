/** The graph as a list in the order of its links: what a screen reader reads in place of the drawing. */

import { linksOf } from "../core/document.js";
import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { h } from "../dom.js";
import { titleOf } from "../canvas/look.js";
import { portLabel } from "../core/naming.js";

/** @import {Parts} from "../actions/action.js" */

/** @param {Parts} parts */
export function outlinePanel(parts) {
  const { editor, dock } = parts;
  const tree = h("ul", { class: "outline", role: "tree", "aria-label": t("outline.title"), "aria-multiselectable": "true" });
  effect(() => {
    editor.version.value;
    editor.selection.value;
    if (dock.shown.left.value === "outline") fill(parts, tree);
  });
  tree.addEventListener("keydown", (event) => {
    const items = /** @type {HTMLElement[]} */ ([...tree.querySelectorAll('[role="treeitem"]')]);
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    items[Math.min(items.length - 1, Math.max(0, to))]?.focus();
  });
  return h("div", { class: "dock-body" }, tree);
}

/** @param {Parts} parts @param {HTMLElement} tree */
function fill(parts, tree) {
  const { editor } = parts;
  const focused = document.activeElement?.getAttribute("data-outline");
  const order = inOrder(parts);
  tree.replaceChildren(...order.map((id, index) => item(parts, id, index === 0)));
  if (order.length === 0) tree.append(h("li", { class: "quiet", role: "treeitem", tabindex: 0 }, t("outline.empty")));
  if (focused !== undefined && focused !== null && editor.document.nodes.has(focused)) {
    /** @type {HTMLElement | null} */ (tree.querySelector(`[data-outline="${CSS.escape(focused)}"]`))?.focus();
  }
}

/** @param {Parts} parts @param {string} id @param {boolean} first */
function item({ editor, show }, id, first) {
  const sources = Object.entries(editor.document.nodes.get(id)?.inputs ?? {}).flatMap(([name, value]) =>
    linksOf(value).filter((link) => editor.document.nodes.has(link.node)).map((link) => t("outline.from", { input: portLabel(name), title: titleOf(editor, link.node) })),
  );
  const element = h(
    "li",
    { role: "treeitem", tabindex: first ? 0 : -1, "data-outline": id, "aria-selected": String(editor.selection.peek().has(id)) },
    h("strong", {}, titleOf(editor, id)),
    h("small", {}, sources.join(", ")),
  );
  element.addEventListener("click", () => show(id));
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    show(id);
  });
  return element;
}

/** Ids so that a node comes after those it reads. @param {Parts} parts */
function inOrder({ editor }) {
  /** @type {string[]} */
  const order = [];
  const seen = new Set();
  const visit = (/** @type {string} */ id) => {
    if (seen.has(id) || !editor.document.nodes.has(id)) return;
    seen.add(id);
    for (const value of Object.values(editor.document.nodes.get(id)?.inputs ?? {})) for (const link of linksOf(value)) visit(link.node);
    order.push(id);
  };
  const ids = [...editor.document.nodes.keys()].sort((a, b) => (editor.document.places.get(a)?.x ?? 0) - (editor.document.places.get(b)?.x ?? 0));
  for (const id of ids) visit(id);
  return order;
}
