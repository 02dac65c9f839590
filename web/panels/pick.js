/** A list to choose one thing from by typing, arrows and Enter, or a press. */

import { t } from "../core/strings.js";
import { h } from "../dom.js";
import { openDialog } from "./dialog.js";

/** @typedef {{text: string, note?: string, words?: string, enabled?: boolean, run: () => void}} Item  `words`: found by too */

/** @param {string} title @param {string} hint @param {readonly Item[]} items */
export function pickOne(title, hint, items) {
  const box = h("input", { class: "field", type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "pick-list", "aria-autocomplete": "list", "aria-label": hint, placeholder: hint, spellcheck: "false" });
  const list = h("div", { class: "pick-list", id: "pick-list", role: "listbox", "aria-label": title, tabindex: -1 });
  const dialog = openDialog(title, "pick", box, list);
  /** @type {readonly Item[]} */
  let found = items;
  let chosen = 0;
  const take = (/** @type {Item | undefined} */ item) => {
    if (!item || item.enabled === false) return;
    dialog.close();
    item.run();
  };
  const mark = () => {
    for (const [index, option] of [...list.children].entries()) option.setAttribute("aria-selected", String(index === chosen));
    box.setAttribute("aria-activedescendant", found.length > 0 ? `pick-${chosen}` : "");
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  };
  const show = () => {
    found = ranked(items, box.value);
    chosen = 0;
    list.replaceChildren(
      ...found.map((item, index) => {
        const option = h("div", { role: "option", id: `pick-${index}`, class: "pick-item", "aria-disabled": item.enabled === false ? "true" : null }, h("span", {}, item.text), h("small", {}, item.note ?? ""));
        option.addEventListener("click", () => take(item));
        return option;
      }),
    );
    if (found.length === 0) list.append(h("p", { class: "quiet", role: "option", "aria-disabled": "true" }, t("pick.none")));
    mark();
  };
  box.addEventListener("input", show);
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key] ?? 0;
    if (step !== 0 && found.length > 0) {
      event.preventDefault();
      chosen = Math.abs(step) === 1 ? (chosen + step + found.length) % found.length : Math.min(found.length - 1, Math.max(0, chosen + step));
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      take(found[chosen]);
    }
  });
  show();
  box.focus();
}

/** Those that hold every word, those that begin with them first; then those whose letters come in that order. @param {readonly Item[]} items @param {string} wanted */
function ranked(items, wanted) {
  const words = wanted.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const rank = (/** @type {Item} */ item) => {
    const text = `${item.text} ${item.words ?? ""}`.toLocaleLowerCase();
    if (words.length === 0) return item.enabled === false ? 1 : 0;
    if (words.every((word) => text.includes(word))) return (text.startsWith(words[0]) ? 0 : 1) + (item.enabled === false ? 2 : 0);
    return inOrder(words.join(""), text) ? 5 : Infinity;
  };
  return items
    .map((item) => ({ item, rank: rank(item) }))
    .filter((each) => each.rank < Infinity)
    .sort((a, b) => a.rank - b.rank)
    .map((each) => each.item);
}

/** @param {string} letters @param {string} text */
function inOrder(letters, text) {
  let at = 0;
  for (const letter of text) if (letter === letters[at]) at += 1;
  return at === letters.length;
}
