/** The graph as a list in the order of its links, with how each node fares: what a screen reader reads in place of the drawing. */

import { linksOf } from "../core/document.js";
import { membersOf } from "../core/frames.js";
import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { h, setText } from "../dom.js";
import { namingOf, titleOf } from "../canvas/look.js";
import { detailsOf, statusText, whyOf } from "../canvas/status.js";
import { portLabel } from "../core/naming.js";
import { sentence } from "../core/run.js";

/** @import {Parts} from "../actions/action.js" */

/** @param {Parts} parts */
export function outlinePanel(parts) {
  const { editor, dock } = parts;
  const tree = h("ul", { class: "outline", role: "tree", "aria-label": t("outline.title"), "aria-multiselectable": "true" });
  effect(() => {
    editor.version.value;
    editor.selection.value;
    editor.selectedFrame.value;
    if (dock.shown.left.value === "outline") fill(parts, tree);
  });
  effect(() => {
    parts.status.value;
    if (dock.shown.left.value === "outline") tellStates(parts, tree);
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
  tree.replaceChildren(...order.map((id, index) => item(parts, id, index === 0)), ...[...editor.document.frames.keys()].map((id) => frameItem(parts, id)));
  if (order.length === 0) tree.append(h("li", { class: "quiet", role: "treeitem", tabindex: 0 }, t("outline.empty")));
  tellStates(parts, tree);
  if (focused !== undefined && focused !== null && editor.document.nodes.has(focused)) {
    /** @type {HTMLElement | null} */ (tree.querySelector(`[data-outline="${CSS.escape(focused)}"]`))?.focus();
  }
}

/** @param {Parts} parts @param {string} id @param {boolean} first */
function item({ editor, show }, id, first) {
  const sources = Object.entries(editor.document.nodes.get(id)?.inputs ?? {}).flatMap(([name, value]) =>
    linksOf(value).filter((link) => editor.document.nodes.has(link.node)).map((link) => t("outline.from", { input: portLabel(name), title: titleOf(editor, link.node) })),
  );
  const frame = editor.document.frames.get(editor.document.places.get(id)?.frame ?? "");
  if (frame) sources.push(t("outline.inFrame", { title: frame.title }));
  const element = h(
    "li",
    { role: "treeitem", tabindex: first ? 0 : -1, "data-outline": id, "aria-selected": String(editor.selection.peek().has(id)) },
    h("strong", {}, titleOf(editor, id)),
    h("small", {}, sources.join(", ")),
    h("small", { class: "outline-state" }),
  );
  element.addEventListener("click", () => show(id));
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
function frameItem({ editor, view }, id) {
  const members = membersOf(editor.document, id);
  const element = h(
    "li",
    { role: "treeitem", tabindex: -1, "data-frame": id, "aria-selected": String(editor.selectedFrame.peek() === id) },
    h("strong", {}, t("outline.frame", { title: editor.document.frames.get(id)?.title ?? "" })),
    h("small", {}, t("outline.carries", { count: members.size })),
  );
  const choose = () => {
    editor.selectFrame(id, members);
    if (members.size > 0) view.fit(members);
    view.element.focus({ preventScroll: true });
  };
  element.addEventListener("click", choose);
  element.addEventListener("keydown", (event) => {
    if ((event.key !== "Enter" && event.key !== " ") || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    choose();
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
