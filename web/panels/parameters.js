/** What the sheet on the table shows to the outside: the parameters of the workflow, or the ports of the component. */

import { componentName, isComponent } from "../core/components.js";
import { demote, move, rename } from "../core/interface.js";
import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { removePorts } from "../core/ports.js";
import { renameComponent, renamePort } from "../core/renaming.js";
import { button, h } from "../dom.js";

/** @import {Parts} from "../actions/action.js" */

/** @param {Parts} parts */
export function parametersPanel(parts) {
  const { editor, dock } = parts;
  const element = h("div", { class: "dock-body parameters" });
  let shown = "";
  effect(() => {
    editor.version.value;
    if (dock.shown.left.value !== "parameters") return;
    const component = componentShown(parts);
    const now = JSON.stringify([component, component ? editor.document.components.get(component) : editor.document.interface, titles(parts)]);
    if (now === shown) return;
    shown = now;
    element.replaceChildren(...(component ? portsOf(parts, component) : interfaceOf(parts)));
  });
  return element;
}

/** The component on the table, or the one whose instance is selected. @param {Parts} parts */
function componentShown({ editor }) {
  if (editor.document.level !== "") return editor.document.level;
  const [id] = editor.selection.value;
  const type = editor.selection.value.size === 1 ? (editor.document.nodes.get(id)?.type ?? "") : "";
  return isComponent(type) && editor.document.components.has(componentName(type)) ? componentName(type) : null;
}

/** @param {Parts} parts */
const titles = ({ editor }) => editor.document.interface.map((port) => titleOf(editor, port.node));

/** @param {import("../core/editor.js").Editor} editor @param {string} id */
const titleOf = ({ document, catalogue }, id) => {
  const node = document.sheet("").nodes.get(id);
  return node ? (node.title ?? catalogue.specs.get(node.type)?.title ?? componentName(node.type)) : id;
};

/** @param {Parts} parts @returns {Node[]} */
function interfaceOf({ editor }) {
  const { document } = editor;
  if (document.interface.length === 0) return [h("p", { class: "quiet" }, t("parameters.empty"))];
  const rows = document.interface.map((port, index) => {
    const values = { name: port.name };
    const box = nameBox(port.name, t("parameters.name"), (name) => editor.edit(rename(editor.document, index, name)));
    return h(
      "li",
      {},
      h("div", { class: "file-row" },
        box,
        index > 0 ? button({ label: t("parameters.up", values), icon: "up", class: "button small" }, () => editor.edit(move(editor.document, index, index - 1))) : null,
        index < document.interface.length - 1 ? button({ label: t("parameters.down", values), icon: "down", class: "button small" }, () => editor.edit(move(editor.document, index, index + 1))) : null,
        button({ label: t("parameters.remove", values), icon: "close", class: "button small" }, () => editor.edit(demote(editor.document, port.node, port.input)))),
      h("small", { class: "quiet" }, t("parameters.of", { input: port.input, title: titleOf(editor, port.node) })),
    );
  });
  return [h("ol", {}, ...rows)];
}

/** @param {Parts} parts @param {string} name @returns {Node[]} */
function portsOf({ editor }, name) {
  const { document } = editor;
  const ports = document.components.get(name);
  if (!ports) return [];
  const heading = h("label", { class: "stack" }, t("ports.component"), nameBox(name, t("ports.component"), (to) => editor.renameComponent(name, renameComponent(editor.document, name, to))));
  const sides = /** @type {const} */ (["inputs", "outputs"]).flatMap((side) => {
    const names = [...new Set(ports[side].map((port) => port.name))];
    if (names.length === 0) return [];
    const rows = names.map((port) => {
      const remove = button({ label: t("ports.remove", { name: port }), icon: "close", class: "button small" }, () =>
        editor.edit(removePorts(editor.document, name, { inputs: side === "inputs" ? [port] : [], outputs: side === "outputs" ? [port] : [] })));
      return h("li", { class: "file-row" }, nameBox(port, t("ports.name"), (to) => editor.edit(renamePort(editor.document, name, side, port, to))), remove);
    });
    return [h("h3", {}, t(side === "inputs" ? "ports.inputs" : "ports.outputs")), h("ul", {}, ...rows)];
  });
  return [heading, ...sides, h("p", { class: "quiet" }, t("ports.empty"))];
}

/** @param {string} value @param {string} label @param {(value: string) => void} changed */
function nameBox(value, label, changed) {
  const box = h("input", { class: "field", value, "aria-label": label });
  box.addEventListener("change", () => {
    const name = box.value.trim();
    if (name === "") box.value = value;
    else changed(name);
  });
  return box;
}
