/** Work that was left unsaved when a browser was closed or killed: offered until it is taken or thrown away. */

import { effect } from "../core/store.js";
import { language, t } from "../core/strings.js";
import { button, h, setText } from "../dom.js";
import { learnAll } from "../language.js";
import { ask } from "./dialog.js";

/** @import {Left} from "../drafts.js" */
/** @import {Workspace} from "../workspace.js" */

/** How many are shown before one asks for more. */
const SHOWN = 2;

/** @param {Workspace} workspace */
export async function recoverPanel(workspace) {
  await learnAll();
  const [latest, others] = [h("ul", { class: "problem-list" }), h("ul", { class: "problem-list" })];
  const summary = h("summary", {});
  const rest = h("details", {}, summary, others);
  const element = h("section", { class: "panel-section recover", hidden: true, "aria-label": t("recover.title") }, h("h2", {}, t("recover.title")), latest, rest);
  effect(() => {
    const left = [...workspace.left.value].sort((a, b) => b.saved - a.saved);
    element.toggleAttribute("hidden", left.length === 0);
    rest.toggleAttribute("hidden", left.length <= SHOWN);
    latest.replaceChildren(...left.slice(0, SHOWN).map((draft) => row(workspace, draft)));
    others.replaceChildren(...left.slice(SHOWN).map((draft) => row(workspace, draft)));
    setText(summary, t("recover.more", { count: left.length - SHOWN }));
  });
  return element;
}

/** @param {Workspace} workspace @param {Left} draft */
function row(workspace, draft) {
  const title = draft.title || t("app.untitled");
  const when = new Date(draft.saved).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });
  return h(
    "li",
    { class: "file-row" },
    h("span", { class: "recover-name" }, h("strong", {}, title), h("small", {}, when)),
    button({ label: t("recover.openOf", { name: title }), text: t("recover.open"), class: "button wide" }, () => void workspace.openDraft(draft.name)),
    button({ label: t("recover.discardOf", { name: title }), icon: "close", class: "button small" }, () =>
      ask(t("recover.title"), t("recover.discardQuestion", { name: title }), [
        { text: t("close.keep"), run: () => {} },
        { text: t("recover.discardOf", { name: title }), class: "danger", run: () => void workspace.discardDraft(draft.name) },
      ]),
    ),
  );
}
