/** Find in the workflow: a box over the canvas; what is found is gone to, on whatever sheet it is. */

import { find } from "../core/find.js";
import { t } from "../core/strings.js";
import { h, setText } from "../dom.js";
import { learnAll } from "../language.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {Hit} from "../core/find.js" */

/** @param {Parts} parts */
export async function openFind({ editor, show }) {
  await learnAll();
  const box = h("input", { class: "search-box", type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "find-list", "aria-autocomplete": "list", spellcheck: "false", "aria-label": t("find.placeholder"), placeholder: t("find.placeholder") });
  const count = h("div", { class: "search-scope", role: "status" });
  const list = h("div", { class: "search-list", id: "find-list", role: "listbox", "aria-label": t("find.title") });
  const dialog = h("dialog", { class: "search find", closedby: "any", "aria-label": t("find.title") }, box, count, list);
  /** @type {Hit[]} */
  let hits = [];
  let chosen = 0;
  const mark = () => {
    for (const [index, option] of [...list.children].entries()) option.setAttribute("aria-selected", String(index === chosen));
    box.setAttribute("aria-activedescendant", hits.length > 0 ? `find-${chosen}` : "");
  };
  const go = (/** @type {Hit} */ hit) => {
    dialog.close();
    if (editor.goTo(hit.level)) show(hit.id);
  };
  const search = () => {
    hits = find(editor.document, editor.catalogue, box.value);
    chosen = 0;
    setText(count, box.value.trim() === "" ? "" : hits.length === 0 ? t("find.none") : t("find.count", { count: hits.length }));
    list.replaceChildren(...hits.map((hit, index) => {
      const more = [hit.level === "" ? null : t("find.in", { name: hit.level }), hit.input === null ? hit.type.replace(/^component:/, "") : `${hit.input}: ${hit.value.slice(0, 60)}`].filter(Boolean).join(" · ");
      const option = h("div", { role: "option", id: `find-${index}`, class: "search-option" }, h("span", { class: "search-title" }, hit.title), h("span", { class: "search-category" }, more));
      option.addEventListener("click", () => go(hit));
      return option;
    }));
    mark();
  };
  box.addEventListener("input", search);
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && hits.length > 0) {
      event.preventDefault();
      chosen = (chosen + step + hits.length) % hits.length;
      mark();
      list.children[chosen].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && hits[chosen]) {
      event.preventDefault();
      go(hits[chosen]);
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  search();
  box.focus();
}
