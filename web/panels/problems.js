/** What is wrong with the workflow, as a list; each entry leads to its node and offers what can be done at once. Absent when nothing is wrong. */

import { button, h, icon, setText } from "../dom.js";
import { sentence } from "../core/run.js";
import { effect } from "../core/store.js";
import { portLabel } from "../core/naming.js";
import { learnAll } from "../language.js";
import { phrase, t, tongueOf } from "../core/strings.js";
import { titleOf } from "../canvas/look.js";
import { countProblems } from "./runline.js";

/** @import {Change} from "../core/document.js" */
/** @import {Editor} from "../core/editor.js" */
/** @import {Problem} from "../core/types.js" */
/** @import {Runner} from "../runner.js" */

/** Add buttons that put a problem right. @param {HTMLElement} element @param {Problem} problem @param {Editor} editor */
export async function addFixes(element, problem, editor) {
  const [{ fixesFor }, { locate }] = await Promise.all([import("../core/fixes.js"), import("../pins.js"), learnAll()]);
  const offer = (/** @type {string} */ label, /** @type {() => Change[]} */ changes) => button({ label, text: label, class: "button fix" }, () => editor.edit(changes()));
  // Changes of the workflow as it is when the button is pressed.
  const fixes = fixesFor(problem, editor).map(({ label }) => offer(label, () => fixesFor(problem, editor).find((fix) => fix.label === label)?.changes ?? []));
  element.append(...fixes);
  const located = await locate(problem, editor);
  if (located) element.insertBefore(offer(located.label, () => located.changes), fixes[0] ?? null);
}

/** Say which pack a node of an unknown kind is of. @param {HTMLElement} element @param {string} id @param {Editor} editor */
async function addPack(element, id, editor) {
  const [{ packOf }] = await Promise.all([import("../core/unknown.js"), learnAll()]);
  const { name, foreign } = packOf(editor, id);
  if (name) element.append(h("small", {}, t(foreign ? "fix.foreignPack" : "fix.pack", { name })));
}

/** @param {Editor} editor @param {Runner} runner @param {(id: string) => void} show */
export function problemsPanel(editor, runner, show) {
  const heading = h("h2");
  const list = h("ul", { class: "problem-list" });
  const element = h("section", { class: "panel-section problems", hidden: true, "aria-label": t("problem.title") }, heading, list);

  /** @param {Problem} problem */
  const entry = (problem) => {
    const known = problem.node !== null && editor.document.nodes.has(problem.node);
    const where = known ? [titleOf(editor, problem.node ?? ""), portLabel(problem.port ?? "")].filter(Boolean).join(" · ") : "";
    const said = sentence(problem, known ? editor.scene.spec(problem.node ?? "").title : "");
    const text = h("span", {}, where ? h("strong", {}, where) : null, h("span", { lang: tongueOf(said) }, said), problem.hint ? h("small", {}, phrase(problem.hint)) : null);
    if (!known) return h("li", {}, h("div", { class: "problem-item" }, icon("alert"), text));
    const item = h("button", { type: "button", class: "problem-item", title: t("problem.show") }, icon("alert"), text);
    item.addEventListener("click", () => show(problem.node ?? ""));
    const fixes = h("div", { class: "fixes" });
    void addFixes(fixes, problem, editor);
    if (problem.code === "unknown_node") void addPack(text, problem.node ?? "", editor);
    return h("li", {}, item, fixes);
  };
  effect(() => {
    const problems = [...runner.problems.value.values()].flat();
    element.toggleAttribute("hidden", problems.length === 0);
    setText(heading, countProblems(problems.length));
    list.replaceChildren(...problems.map(entry));
  });
  return element;
}
