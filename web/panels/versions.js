/** The versions of the workflow on the table that are kept: when they were saved, what differs, and the way back. */

import { ApiError } from "../api.js";
import { effect } from "../core/store.js";
import { language, t } from "../core/strings.js";
import * as documents from "../documents.js";
import { button, h } from "../dom.js";
import { askText } from "./dialog.js";
import { saveVersion } from "./save.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {Revision} from "../documents.js" */

/** @param {Parts} parts */
export function versionsPanel(parts) {
  const { workspace } = parts;
  const list = h("ul", { class: "versions" });
  const name = button({ label: t("versions.save"), text: t("versions.save"), icon: "save", class: "button wide" }, () => saveVersion(parts));
  effect(() => {
    workspace.changes.value;
    parts.dock.shown.left.value;
    const saved = workspace.current.value?.saved.name ?? "";
    void fill(parts, list, saved);
  });
  return h("div", { class: "dock-body" }, h("div", { class: "dock-row" }, name), list);
}

/** @param {Parts} parts @param {HTMLElement} list @param {string} name */
async function fill(parts, list, name) {
  if (name === "") return list.replaceChildren(h("li", { class: "quiet" }, t("versions.none")));
  try {
    const found = await documents.revisions(name);
    if (parts.workspace.current.peek()?.saved.name === name) list.replaceChildren(...found.map((each) => row(parts, name, each)));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    list.replaceChildren(h("li", { class: "quiet" }, error.message));
  }
}

/** @param {Parts} parts @param {string} name @param {Revision} revision */
function row(parts, name, { revision, saved, label }) {
  const { workspace, editor, notify } = parts;
  const when = new Date(saved).toLocaleString(language(), { dateStyle: "medium", timeStyle: "medium" });
  const told = h("ul", { class: "differences", hidden: true });
  const title = label ?? when;
  const attempt = (/** @type {Promise<unknown>} */ work) => void work.catch((error) => notify(error.message));
  const compare = async () => {
    if (!told.hidden) {
      told.toggleAttribute("hidden", true);
      return;
    }
    const [{ between, linesOf }, before] = await Promise.all([import("./compare.js"), documents.revision(name, revision)]);
    told.replaceChildren(...linesOf(between(editor, before, editor.document.toJSON())));
    told.toggleAttribute("hidden", false);
  };
  const restore = async () => {
    await workspace.replace(await documents.revision(name, revision));
    notify(t("versions.restored", { when: title }));
  };
  const rename = () =>
    void askText({ title: t("versions.name"), label: t("versions.label"), value: label ?? "", confirm: t("save.confirm") }, async (text) => {
      await documents.label(name, revision, text);
      workspace.changes.value += 1;
    });
  return h(
    "li",
    {},
    h("div", { class: "version-name" }, h("strong", {}, title), label === null ? null : h("small", {}, when)),
    h(
      "div",
      { class: "version-tools" },
      button({ label: t("versions.compareWith", { when: title }), text: t("versions.compare"), class: "button" }, () => attempt(compare())),
      button({ label: t("versions.restoreOf", { when: title }), text: t("versions.restore"), class: "button" }, () => attempt(restore())),
      button({ label: t("versions.nameOf", { when: title }), text: t("versions.rename"), class: "button" }, rename),
    ),
    told,
  );
}
