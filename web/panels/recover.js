/** Work that was left unsaved when a browser was closed or killed: offered until it is taken or thrown away. */

import { effect } from "../core/store.js";
import { language, t } from "../core/strings.js";
import { button, h } from "../dom.js";

/** @import {Workspace} from "../workspace.js" */

/** @param {Workspace} workspace */
export function recoverPanel(workspace) {
  const list = h("ul", { class: "problem-list" });
  const element = h("section", { class: "panel-section recover", hidden: true, "aria-label": t("recover.title") }, h("h2", {}, t("recover.title")), list);
  effect(() => {
    const left = workspace.left.value;
    element.toggleAttribute("hidden", left.length === 0);
    list.replaceChildren(
      ...left.map((draft) => {
        const title = draft.title || t("app.untitled");
        const when = new Date(draft.saved).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });
        return h(
          "li",
          { class: "file-row" },
          h("span", { class: "recover-name" }, h("strong", {}, title), h("small", {}, when)),
          button({ label: t("recover.openOf", { name: title }), text: t("recover.open"), class: "button wide" }, () => void workspace.openDraft(draft.name)),
          button({ label: t("recover.discardOf", { name: title }), icon: "close", class: "button small" }, () => void workspace.discardDraft(draft.name)),
        );
      }),
    );
  });
  return element;
}
