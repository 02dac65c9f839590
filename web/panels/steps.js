/** The history of the workflow on the table: every step in words, to go to; steps can be given a name. */

import { describe } from "../core/describe.js";
import { effect } from "../core/store.js";
import { language, t } from "../core/strings.js";
import { button, h } from "../dom.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {Step} from "../core/history.js" */

const SHOWN = 200;

/** @param {Parts} parts */
export function stepsPanel({ editor, dock }) {
  const list = h("ol", { class: "steps", reversed: true });
  effect(() => {
    editor.version.value;
    if (dock.shown.left.value !== "steps") return;
    const { steps, done } = editor.history;
    const first = Math.max(0, steps.length - SHOWN);
    const items = steps.slice(first).map((step, index) => item(step, first + index + 1, done)).reverse();
    const start = h("li", {}, entry(t("history.start"), "", 0, done));
    list.replaceChildren(...items, ...(first === 0 ? [start] : []));
  });

  /** @param {Step} step @param {number} count  of steps done when it is the last @param {number} done */
  function item(step, count, done) {
    const text = describe(step.patch, editor.catalogue);
    const when = new Date(step.at).toLocaleTimeString(language(), { hour: "2-digit", minute: "2-digit" });
    const name = button({ label: t("history.name"), icon: "flag", class: "button small" }, () => rename(row, step, count - 1));
    const row = h("li", { class: "file-row" }, entry(step.name || text, step.name ? text : when, count, done), name);
    row.classList.toggle("named", step.name !== "");
    return row;
  }

  /** @param {string} text @param {string} more @param {number} count @param {number} done */
  function entry(text, more, count, done) {
    const element = h("button", { type: "button", class: "choice-item step", title: t("history.goto", { step: text }), "aria-current": count === done ? "step" : null }, h("span", {}, text), h("small", {}, more));
    element.classList.toggle("undone", count > done);
    element.addEventListener("click", () => editor.jump(count));
    return element;
  }

  /** @param {HTMLElement} row @param {Step} step @param {number} index */
  function rename(row, step, index) {
    const box = h("input", { class: "field", value: step.name, "aria-label": t("history.name") });
    const finish = () => editor.nameStep(index, box.value.trim());
    box.addEventListener("change", finish);
    box.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter" || event.key === "Escape") event.stopPropagation();
      if (event.key === "Enter") finish();
      else if (event.key === "Escape") editor.nameStep(index, step.name);
    });
    row.replaceChildren(box);
    box.focus();
  }
  return h("div", { class: "dock-body" }, list);
}
