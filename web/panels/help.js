/** What the selected node does, from its own description: its inputs, its outputs, what each takes and gives. */

import { categoryLabel, helpOf, portLabel } from "../core/naming.js";
import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { h } from "../dom.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {NodeSpec} from "../core/types.js" */

/** @param {Parts} parts */
export function helpPanel({ editor }) {
  const element = h("div", { class: "dock-body help", "aria-live": "polite" });
  effect(() => {
    editor.version.value;
    const [id] = editor.selection.value;
    const spec = id !== undefined && editor.document.nodes.has(id) ? editor.scene.spec(id) : null;
    element.replaceChildren(...(spec ? described(spec) : [h("p", { class: "quiet" }, t("help.none"))]));
  });
  return element;
}

/** @param {NodeSpec} spec @returns {Node[]} */
function described(spec) {
  const { about, inputs } = readDoc({ ...spec, doc: helpOf(spec) });
  const rows = spec.inputs.map((input) => entry(input.name, input.type, inputs.get(input.name) ?? ""));
  const outputs = spec.outputs.map((output) => entry(output.name, output.type, ""));
  return [
    h("h3", { class: "help-title" }, spec.title),
    h("p", { class: "quiet" }, categoryLabel(spec.category)),
    ...about.map((text) => h("p", {}, text)),
    ...(rows.length > 0 ? [h("h3", {}, t("help.inputs")), h("dl", {}, ...rows.flat())] : []),
    ...(outputs.length > 0 ? [h("h3", {}, t("help.outputs")), h("dl", {}, ...outputs.flat())] : []),
  ];
}

/** @param {string} name @param {string} type @param {string} text */
const entry = (name, type, text) => [h("dt", {}, portLabel(name), " ", h("small", {}, type)), h("dd", {}, text)];

/** The paragraphs of a description, and of each input what is said under "name: ...". @param {NodeSpec} spec */
export function readDoc({ doc, inputs }) {
  const names = new Set(inputs.map((input) => input.name));
  /** @type {Map<string, string>} */
  const said = new Map();
  /** @type {string[]} */
  const about = [];
  for (const paragraph of doc.split(/\n\s*\n/)) {
    const pieces = paragraph.replaceAll(/\s*\n\s*/g, " ").split(/(?:^|(?<=[.;。；] ))(?=\w+(?:, \w+)*: )/);
    for (const piece of pieces) {
      const [, list = "", text = ""] = /^([\w, ]+): (.*)$/s.exec(piece) ?? [];
      const told = list.split(", ").filter((name) => names.has(name));
      for (const name of told) said.set(name, text.trim());
      if (told.length === 0 && piece.trim() !== "") about.push(piece.trim());
    }
  }
  return { about, inputs: said };
}
