/** The sheet of shortcuts, where each can be given other keys. */

import { clashes, keyLabel, keyName } from "../actions/keys.js";
import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { button, h } from "../dom.js";
import { learnAll } from "../language.js";
import { openDialog } from "./dialog.js";

/** @import {Action, Parts} from "../actions/action.js" */

/** @param {Parts} parts */
export async function openShortcuts(parts) {
  await learnAll();
  const { actions, settings } = parts;
  const body = h("tbody", {});
  const hints = /** @type {const} */ (["shortcuts.pan", "shortcuts.zoom", "shortcuts.box", "shortcuts.link"]);
  const reset = button({ label: t("shortcuts.resetAll"), text: t("shortcuts.resetAll"), class: "button wide" }, () => {
    settings.shortcuts.value = {};
    body.querySelector("button")?.focus();
  });
  // Before the dialog opens: a button that cannot be used is not where the focus begins.
  reset.disabled = Object.keys(settings.shortcuts.peek()).length === 0;
  const dialog = openDialog(
    t("shortcuts.title"),
    "",
    h("p", { class: "quiet" }, t("shortcuts.change")),
    h("table", { class: "shortcuts" }, body),
    h("ul", {}, ...hints.map((key) => h("li", {}, t(key)))),
    h("div", { class: "dialog-foot" }, reset),
  );
  const stop = effect(() => {
    const clashing = clashes(actions.values());
    const focused = document.activeElement?.closest("[data-action]")?.getAttribute("data-action");
    body.replaceChildren(...[...actions.values()].filter((action) => !action.hidden).map((action) => row(parts, action, clashing)));
    if (focused) /** @type {HTMLElement | null} */ (body.querySelector(`[data-action="${CSS.escape(focused)}"] .keys`))?.focus();
    reset.disabled = Object.keys(settings.shortcuts.value).length === 0;
  });
  dialog.addEventListener("close", stop);
}

/** @param {Parts} parts @param {Action} action @param {ReadonlyMap<string, readonly Action[]>} clashing */
function row({ settings }, action, clashing) {
  const title = t(action.title);
  const others = action.keys.flatMap((keys) => clashing.get(keys) ?? []).filter((other) => other.id !== action.id);
  const keys = button({ label: t("shortcuts.keysOf", { title, keys: action.keys.map(keyLabel).join(" ") || "…" }), class: "button keys" }, () => listen());
  keys.append(...(action.keys.length > 0 ? action.keys.flatMap((each) => [h("kbd", {}, keyLabel(each)), " "]) : [h("kbd", {}, "…")]));
  const choose = (/** @type {readonly string[] | null} */ chosen) => {
    const { [action.id]: _, ...rest } = settings.shortcuts.peek();
    settings.shortcuts.value = chosen === null ? rest : { ...rest, [action.id]: chosen };
  };
  /** @type {Node[]} */
  let before = [];
  const take = (/** @type {KeyboardEvent} */ event) => {
    const name = keyName(event);
    if (name === "Tab" || name === "Shift+Tab") return;
    event.preventDefault();
    event.stopPropagation();
    // A letter on its way into an input method has no name of its own.
    if (name === "" || event.key === "Process") return;
    stop();
    if (name !== "Escape") choose(name === "Backspace" || name === "Delete" ? [] : [name]);
  };
  const listen = () => {
    if (before.length > 0) return;
    before = [...keys.childNodes];
    keys.replaceChildren(t("shortcuts.press"));
    keys.addEventListener("keydown", take);
    keys.addEventListener("blur", stop);
  };
  const stop = () => {
    keys.removeEventListener("keydown", take);
    keys.removeEventListener("blur", stop);
    keys.replaceChildren(...before);
    before = [];
  };
  const changed = Object.hasOwn(settings.shortcuts.peek(), action.id);
  return h(
    "tr",
    { "data-action": action.id },
    h("td", {}, title, others.length > 0 ? h("small", { class: "clash" }, t("shortcuts.clash", { titles: others.map((other) => t(other.title)).join(", ") })) : null),
    h("td", {}, keys, changed ? button({ label: t("shortcuts.reset", { title }), icon: "undo", class: "button small" }, () => choose(null)) : null),
  );
}
