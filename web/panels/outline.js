/**
 * The graph as a tree in the order of its links, with how each node fares: what a screen reader reads in place of the
 * drawing. A node opens to its links, each of which leads to the node at its other end.
 */

import { linksOf } from "../core/document.js";
import { membersOf } from "../core/frames.js";
import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { h, icon, setText } from "../dom.js";
import { wiresAt } from "../actions/links.js";
import { namingOf, titleOf } from "../canvas/look.js";
import { detailsOf, statusText, whyOf } from "../canvas/status.js";
import { portLabel } from "../core/naming.js";
import { sentence } from "../core/run.js";
import { viewOf } from "../settings.js";

/** @import {Parts} from "../actions/action.js" */

/** @param {Parts} parts */
export function outlinePanel(parts) {
  const { editor, dock } = parts;
  const tree = h("ul", { class: "outline", role: "tree", "aria-label": t("outline.title"), "aria-multiselectable": "true" });
  /** Nodes whose links are shown. @type {Set<string>} */
  const open = new Set();
  const unfold = (/** @type {string} */ id, /** @type {boolean} */ wide) => {
    if (wide) open.add(id);
    else open.delete(id);
    fill(parts, tree, open);
  };
  effect(() => {
    editor.version.value;
    editor.selection.value;
    editor.selectedFrame.value;
    if (dock.shown.left.value === "outline") fill(parts, tree, open);
  });
  effect(() => {
    parts.status.value;
    if (dock.shown.left.value === "outline") tellStates(parts, tree);
  });
  // Tab comes back to the item it went from.
  tree.addEventListener("focusin", ({ target }) => {
    for (const each of tree.querySelectorAll('[tabindex="0"]')) each.setAttribute("tabindex", "-1");
    /** @type {Element} */ (target).setAttribute("tabindex", "0");
  });
  tree.addEventListener("click", ({ target }) => {
    const node = target instanceof Element && target.closest(".outline-twist") ? target.closest("[data-outline]") : null;
    if (node instanceof HTMLElement) unfold(node.dataset.outline ?? "", node.ariaExpanded === "false");
  });
  tree.addEventListener("keydown", (event) => {
    const items = /** @type {HTMLElement[]} */ ([...tree.querySelectorAll('[role="treeitem"]')]);
    const item = /** @type {HTMLElement} */ (document.activeElement);
    const at = items.indexOf(item);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const { outline: id, of } = item.dataset;
    const [shut, wide] = [item.ariaExpanded === "false", item.ariaExpanded === "true"];
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to !== undefined) items[Math.min(items.length - 1, Math.max(0, to))].focus();
    else if (event.key === "ArrowRight" && wide) items[at + 1]?.focus();
    else if (event.key === "ArrowRight" && shut) unfold(id ?? "", true);
    else if (event.key === "ArrowLeft" && of !== undefined) itemOf(tree, of)?.focus();
    else if (event.key === "ArrowLeft" && wide) unfold(id ?? "", false);
    else if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    event.stopPropagation();
  });
  return h("div", { class: "dock-body" }, tree);
}

/** The item of a node. @param {HTMLElement} tree @param {string} id @returns {HTMLElement | null} */
const itemOf = (tree, id) => tree.querySelector(`[data-outline="${CSS.escape(id)}"]`);

/** @param {Parts} parts @param {HTMLElement} tree @param {ReadonlySet<string>} open */
function fill(parts, tree, open) {
  const { editor } = parts;
  const focused = tree.contains(document.activeElement);
  const current = /** @type {HTMLElement | null} */ (tree.querySelector('[tabindex="0"]'))?.dataset ?? {};
  const order = inOrder(parts);
  const nodes = order.flatMap((id) => [item(parts, id, open), ...(open.has(id) ? linkItems(parts, tree, id) : [])]);
  tree.replaceChildren(...nodes, ...[...editor.document.frames.keys()].map((id) => frameItem(parts, id)));
  if (order.length === 0) tree.append(h("li", { class: "quiet", role: "treeitem", tabindex: -1 }, t("outline.empty")));
  tellStates(parts, tree);
  const links = /** @type {NodeListOf<HTMLElement>} */ (tree.querySelectorAll("[data-wire]"));
  const link = [...links].find(({ dataset }) => dataset.of === current.of && dataset.wire === current.wire);
  const frame = tree.querySelector(`[data-frame="${CSS.escape(current.frame ?? "")}"]`);
  const again = link ?? itemOf(tree, current.outline ?? current.of ?? "") ?? frame ?? tree.querySelector("li");
  again?.setAttribute("tabindex", "0");
  if (focused && again instanceof HTMLElement) again.focus();
}

/** The links of a node, inputs first; Enter goes to the node at the other end. @param {Parts} parts @param {HTMLElement} tree @param {string} id */
function linkItems({ editor }, tree, id) {
  return linksAt(editor, id).map((wire) => {
    const [end, key, own, others] = wire.id === id ? [wire.source, /** @type {const} */ ("outline.in"), wire.name, wire.output] : [wire.id, /** @type {const} */ ("outline.out"), wire.output, wire.name];
    const says = t(key, { own: portLabel(own), port: portLabel(others), title: titleOf(editor, end) });
    const element = h("li", { role: "treeitem", class: "outline-link", "aria-level": 2, tabindex: -1, "data-of": id, "data-wire": wire.key }, says);
    const go = () => itemOf(tree, end)?.focus();
    element.addEventListener("click", go);
    element.addEventListener("keydown", (event) => void ((event.key === "Enter" || event.key === " ") && (event.preventDefault(), event.stopPropagation(), go())));
    return element;
  });
}

/** @param {Parts["editor"]} editor @param {string} id */
const linksAt = (editor, id) => editor.scene.ports(id).flatMap((port) => wiresAt(editor, port));

/** @param {Parts} parts @param {string} id @param {ReadonlySet<string>} open */
function item({ editor, show }, id, open) {
  const sources = Object.entries(editor.document.nodes.get(id)?.inputs ?? {}).flatMap(([name, value]) =>
    linksOf(value).filter((link) => editor.document.nodes.has(link.node)).map((link) => t("outline.from", { input: portLabel(name), title: titleOf(editor, link.node) })),
  );
  const frame = editor.document.frames.get(editor.document.places.get(id)?.frame ?? "");
  if (frame) sources.push(t("outline.inFrame", { title: frame.title }));
  const opens = editor.scene.wiresOf(id).size > 0;
  const element = h(
    "li",
    { role: "treeitem", "aria-level": 1, "aria-expanded": opens ? String(open.has(id)) : null, tabindex: -1, "data-outline": id, "aria-selected": String(editor.selection.peek().has(id)) },
    opens ? h("span", { class: "outline-twist" }, icon("down")) : null,
    h("strong", {}, titleOf(editor, id)),
    h("small", {}, sources.join(", ")),
    h("small", { class: "outline-state" }),
  );
  element.addEventListener("click", ({ target }) => void (/** @type {Element} */ (target).closest(".outline-twist") ?? show(id)));
  element.addEventListener("keydown", (event) => {
    if ((event.key !== "Enter" && event.key !== " ") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const selected = editor.selection.peek();
    if (event.key === "Enter") show(id);
    else editor.select(selected.has(id) ? [...selected].filter((each) => each !== id) : [...selected, id]);
  });
  return element;
}

/** A frame; Enter selects it with what it carries. @param {Parts} parts @param {string} id */
function frameItem(parts, id) {
  const { editor, view, settings } = parts;
  const members = membersOf(editor.document, id);
  const title = editor.document.frames.get(id)?.title ?? "";
  const element = h(
    "li",
    { role: "treeitem", "aria-level": 1, tabindex: -1, "data-frame": id, "aria-selected": String(editor.selectedFrame.peek() === id) },
    h("strong", {}, t("outline.frame", { title })),
    h("small", {}, t("outline.carries", { count: members.size })),
  );
  const choose = async () => {
    if (viewOf(settings) === "form") (await import("./form.js")).leaveForm(parts, title);
    editor.selectFrame(id, members);
    if (members.size > 0) view.fit(members);
    view.element.focus({ preventScroll: true });
  };
  element.addEventListener("click", () => void choose());
  element.addEventListener("keydown", (event) => {
    if ((event.key !== "Enter" && event.key !== " ") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    void choose();
  });
  return element;
}

/** Say how each node fares, in the items that are there: the one that has the focus keeps it. @param {Parts} parts @param {HTMLElement} tree */
function tellStates({ editor, status }, tree) {
  const { run, problems } = status.peek();
  const naming = namingOf(editor);
  for (const item of /** @type {NodeListOf<HTMLElement>} */ (tree.querySelectorAll("[data-outline]"))) {
    const id = item.dataset.outline ?? "";
    const node = run.nodes.get(id);
    const wrong = problems.get(id) ?? [];
    const told = wrong.length > 0 ? [statusText({ state: "failed", reason: "" }), ...wrong.map((each) => sentence(each, editor.scene.spec(id)?.title ?? ""))] : [percentOf(node) ?? detailsOf(node, naming), node?.next === undefined ? "" : whyOf(node, naming)];
    item.dataset.state = wrong.length > 0 ? "failed" : (node?.state ?? "idle");
    setText(/** @type {Element} */ (item.querySelector(".outline-state")), told.filter(Boolean).join(" · ").replaceAll("\n", " · "));
  }
}

/** How far a node is that tells its steps. @param {import("../core/run.js").NodeRun | undefined} node */
const percentOf = (node) => (node?.state === "running" && node.total ? t("outline.percent", { status: t("status.running"), percent: Math.round((100 * (node.step ?? 0)) / node.total) }) : null);

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
