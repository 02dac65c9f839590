/** The workflow as a form: its parameters, Run, and the result; the whole page on a phone. */

import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { button, h } from "../dom.js";
import { createControl } from "../widgets/index.js";
import { titleOf } from "../canvas/look.js";
import { portLabel } from "../core/naming.js";
import { viewOf } from "../settings.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {Control} from "../widgets/index.js" */
/** @typedef {{id: string, input: string, title: string}} Parameter */
/** @typedef {{parameter: Parameter, usual: unknown, control: Control}} Shown  `usual`: where nothing is said */

/** @param {Parts} parts */
export function formView(parts) {
  const { editor, settings } = parts;
  const fields = h("div", { class: "form-fields" });
  const hint = h("p", { class: "quiet" });
  const back = button({ label: t("form.graph"), text: t("form.graph"), icon: "graph", class: "button wide" }, () => (settings.view.value = "graph"));
  const element = h("section", { class: "form", "aria-label": t("form.title") }, h("div", { class: "form-head" }, h("h2", {}, t("form.title")), back), hint, fields);
  let shown = "";
  /** @type {Shown[]} */
  let controls = [];
  effect(() => {
    editor.version.value;
    if (viewOf(settings) !== "form") return;
    if (editor.document.level !== "") editor.leave(0);
    const parameters = parametersOf(parts);
    const now = JSON.stringify(parameters);
    if (now !== shown) {
      shown = now;
      controls = parameters.flatMap((parameter) => controlOf(parts, parameter));
      fields.replaceChildren(...controls.map(({ parameter, control }) => h("div", { class: "form-field", "data-of": parameter.id }, h("span", { class: "form-label", "aria-hidden": "true" }, parameter.title), control.element)));
      hint.textContent = controls.length === 0 ? t("form.empty") : editor.document.interface.length === 0 ? t("form.guess") : "";
    }
    for (const { parameter, usual, control } of controls) control.show(editor.document.input(parameter.id, parameter.input) ?? usual);
  });
  return element;
}

/** Go to the first parameter that a node has on the form; else to the node, in the graph. @param {Parts} parts @param {string} id */
export function showFromForm(parts, id) {
  const box = /** @type {HTMLElement | null} */ (document.querySelector(`.form-field[data-of="${CSS.escape(id)}"] :is(input, textarea, select, button)`));
  if (!box) {
    leaveForm(parts, titleOf(parts.editor, id));
    return parts.show(id);
  }
  box.scrollIntoView({ block: "nearest" });
  uncover(parts, box);
  box.focus({ preventScroll: true });
}

/** Show the graph in place of the form, for what is only there. @param {Parts} parts @param {string} title */
export function leaveForm(parts, title) {
  const { settings, view, notify } = parts;
  settings.view.value = "graph";
  uncover(parts, view.element);
  view.element.focus({ preventScroll: true });
  notify(t("form.left", { title }));
}

/** Close the panel on the left where it lies over the middle of an element. @param {Parts} parts @param {HTMLElement} element */
function uncover({ dock }, element) {
  const { x, y, width, height } = element.getBoundingClientRect();
  if (dock.left.contains(document.elementFromPoint(x + width / 2, y + height / 2))) dock.close("left");
}

/** Those the workflow names; where it names none, its prompts and seeds. @param {Parts} parts @returns {Parameter[]} */
function parametersOf({ editor }) {
  const { document } = editor;
  const named = document.interface.filter((port) => document.nodes.has(port.node));
  if (named.length > 0) return named.map((port) => ({ id: port.node, input: port.input, title: port.title ?? (port.name === port.input ? portLabel(port.name) : port.name) }));
  return [...document.nodes.keys()].flatMap((id) =>
    editor.scene
      .spec(id)
      .inputs.filter((input) => (input.widget?.kind === "Text" && input.widget.multiline) || input.widget?.kind === "Seed" || input.widget?.kind === "InputFile")
      .filter((input) => typeof document.input(id, input.name) !== "object")
      .map((input) => ({ id, input: input.name, title: input.widget?.kind === "Text" ? titleOf(editor, id) : `${titleOf(editor, id)} · ${portLabel(input.name)}` })),
  );
}

/** @param {Parts} parts @param {Parameter} parameter @returns {Shown[]} */
function controlOf({ editor, fields }, parameter) {
  const input = editor.scene.spec(parameter.id).inputs.find((each) => each.name === parameter.input);
  return input ? [{ parameter, usual: input.default, control: createControl(fields(parameter.id, input, parameter.title)) }] : [];
}
