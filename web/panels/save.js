/** Saving: under the name the workflow has or another one, and what to do when somebody else saved it meanwhile. */

import { ApiError } from "../api.js";
import { sayConflict } from "../core/conflicts.js";
import { noted } from "../core/files.js";
import { common, merge, takeTheirs } from "../core/merge.js";
import { t } from "../core/strings.js";
import * as documents from "../documents.js";
import { button, h } from "../dom.js";
import { learnAll } from "../language.js";
import { ask, askText, openDialog } from "./dialog.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {Conflict, Json} from "../core/merge.js" */
/** @import {Tab} from "../workspace.js" */

/** Save under the name it has; ask for one when it has none. @param {Parts} parts */
export async function save(parts) {
  const typed = document.activeElement;
  if (typed instanceof HTMLInputElement) {
    typed.blur(); // which takes over what is being typed
    typed.focus();
  }
  const name = parts.workspace.name.peek();
  if (name === "") await saveAs(parts);
  else await told(parts, saveUnder(parts, name, "", () => elsewhere(parts)));
}

/** @param {Parts} parts */
export function saveAs(parts) {
  const look = { title: t("save.title"), label: t("save.name"), value: parts.workspace.name.peek(), confirm: t("save.confirm"), hint: t("save.folders") };
  return askText(look, (name) => saveUnder(parts, name));
}

/** Ask for another name, which settles what was asked before. @param {Parts} parts */
function elsewhere(parts) {
  void saveAs(parts);
  return true;
}

/** Save what is there now under a name of its own in the list of versions. @param {Parts} parts */
export function saveVersion(parts) {
  const { workspace } = parts;
  if (workspace.name.peek() === "") return void saveAs(parts);
  const look = { title: t("versions.name"), label: t("versions.label"), value: "", confirm: t("save.confirm") };
  void askText(look, (label) => saveUnder(parts, workspace.name.peek(), label, () => elsewhere(parts)));
}

/** Close a workflow; ask first when it holds edits that are saved nowhere. @param {Parts} parts @param {Tab | null} tab */
export function closeTab(parts, tab) {
  if (!tab) return;
  const { workspace } = parts;
  if (!tab.dirty.peek()) return workspace.close(tab);
  workspace.show(tab);
  ask(t("close.title"), t("close.question", { name: tab.name.peek() || t("app.untitled") }), [
    { text: t("close.keep"), run: () => {} },
    { text: t("close.discard"), class: "danger", run: () => workspace.close(tab) },
    {
      text: t("save.confirm"),
      class: "primary",
      run: () => void save(parts).then(() => !tab.dirty.peek() && workspace.close(tab)),
    },
  ]);
}

/**
 * Save, and ask what to do where the name stands for something else. Throws ApiError.
 * @param {Parts} parts
 * @param {string} name
 * @param {string} label
 * @param {() => boolean} rename  what to do when it is to have another name; returns as this does
 * @returns {Promise<boolean>} whether that settled it; false: ask again
 */
async function saveUnder(parts, name, label = "", rename = () => false) {
  const result = await parts.workspace.save(name, false, label);
  if (result === "taken") return taken(parts, name, rename);
  if (result === "conflict") await conflict(parts, name);
  return true;
}

/** @param {Parts} parts @param {string} name @param {() => boolean} rename @returns {Promise<boolean>} */
const taken = (parts, name, rename) =>
  new Promise((resolve) => {
    const dialog = ask(t("save.title"), t("app.taken", { name }), [
      { text: t("save.copy"), run: () => resolve(rename()) },
      { text: t("save.overwrite"), class: "danger", run: () => resolve(overwrite(parts, name).then(() => true)) },
    ]);
    dialog.addEventListener("close", () => resolve(false));
  });

/** Save whatever was saved there meanwhile. @param {Parts} parts @param {string} name */
const overwrite = (parts, name) => told(parts, parts.workspace.save(name, true));

/** What the server does not do is told. @param {Parts} parts @param {Promise<unknown>} work */
const told = ({ notify }, work) =>
  work.catch((error) => {
    if (!(error instanceof ApiError)) throw error;
    notify(error.message);
  });

/** It is no longer there under that name. @param {Parts} parts @param {string} name */
const gone = (parts, name) =>
  ask(t("save.title"), t("save.gone", { name }), [
    { text: t("save.copy"), run: () => void saveAs(parts) },
    { text: t("save.again"), class: "primary", run: () => void overwrite(parts, name) },
  ]);

/** Somebody saved it meanwhile: show what both made of it. @param {Parts} parts @param {string} name */
async function conflict(parts, name) {
  const { editor, notify } = parts;
  try {
    await learnAll();
    const { merged, conflicts, revision } = await reconcile(parts);
    const choices = conflicts.map((each) => conflictRow(each, merged, (type) => editor.catalogue.specs.get(type)?.title ?? type));
    const list = h("ul", { class: "conflicts" }, ...choices.map((choice) => choice.element));
    const foot = h("div", { class: "dialog-foot" });
    const text = conflicts.length === 0 ? t("conflict.none") : t("conflict.some", { count: conflicts.length });
    const dialog = openDialog(t("conflict.title"), "wide", h("p", {}, t("app.conflict", { name })), h("p", { class: "quiet" }, text), list, foot);
    const answer = (/** @type {string} */ label, /** @type {string} */ kind, /** @type {() => void} */ run) =>
      button({ label, text: label, class: `button ${kind}` }, () => {
        dialog.close();
        run();
      });
    foot.append(
      answer(t("save.copy"), "wide", () => void saveAs(parts)),
      answer(t("save.overwrite"), "danger", () => void overwrite(parts, name)),
      answer(t("conflict.merge"), "primary", () => {
        const theirs = choices.filter((choice) => choice.theirs()).map((choice) => choice.conflict);
        void told(parts, saveMerged(parts, takeTheirs(merged, theirs), revision));
      }),
    );
    /** @type {HTMLElement | null} */ (foot.lastElementChild)?.focus();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 404) gone(parts, name);
    else notify(error.message);
  }
}

/** What is here together with what was saved elsewhere since. Throws ApiError when that cannot be read. @param {Parts} parts */
async function reconcile({ workspace, editor }) {
  const { name, revision } = /** @type {Tab} */ (workspace.current.peek()).saved;
  const [theirs, before] = await Promise.all([documents.read(name), documents.revisionIfKept(name, String(revision))]);
  const [mine, other] = /** @type {Json[]} */ ([JSON.parse(JSON.stringify(noted(editor.document))), theirs.workflow]);
  return { ...merge(/** @type {Json} */ (before) ?? common(mine, other), mine, other), revision: theirs.revision };
}

/** Take a merged workflow, as an edit, and save it over the revision it was merged with. @param {Parts} parts @param {Json} merged @param {string} revision */
async function saveMerged(parts, merged, revision) {
  const { workspace } = parts;
  const tab = /** @type {Tab} */ (workspace.current.peek());
  await workspace.replace(merged);
  tab.saved = { ...tab.saved, revision };
  return saveUnder(parts, tab.saved.name);
}

/** @param {Conflict} conflict @param {Json} merged @param {(type: string) => string} titleOf */
function conflictRow(conflict, merged, titleOf) {
  const said = sayConflict(conflict, merged, titleOf);
  const group = `conflict-${crypto.randomUUID()}`;
  const mine = h("input", { type: "radio", name: group, checked: true });
  const theirs = h("input", { type: "radio", name: group });
  const element = h(
    "li",
    {},
    h("fieldset", {}, h("legend", {}, said.where), h("label", {}, mine, t("conflict.mine", { value: said.mine })), h("label", {}, theirs, t("conflict.theirs", { value: said.theirs }))),
  );
  return { element, conflict, theirs: () => theirs.checked };
}
