/** The open workflows as a row of tabs; absent while there is only one. */

import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { button, h } from "../dom.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {Tab} from "../workspace.js" */

/** @param {Parts} parts */
export function tabBar(parts) {
  const { workspace } = parts;
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": t("tabs.title") });
  const element = h("div", { class: "tab-bar", hidden: true }, list);
  list.addEventListener("keydown", (event) => {
    const steps = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (steps === 0) return;
    event.preventDefault();
    event.stopPropagation();
    workspace.step(steps);
    /** @type {HTMLElement | null} */ (list.querySelector('[aria-selected="true"]'))?.focus();
  });
  effect(() => {
    const tabs = workspace.tabs.value;
    const current = workspace.current.value;
    element.toggleAttribute("hidden", tabs.length < 2);
    list.replaceChildren(...tabs.map((tab) => tabElement(parts, tab, tab === current)));
    list.children[tabs.findIndex((tab) => tab === current)]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  return element;
}

/** @param {Parts} parts @param {Tab} tab @param {boolean} current */
function tabElement(parts, tab, current) {
  const name = tab.name.value || t("app.untitled");
  const label = tab.dirty.value ? t("tabs.unsaved", { name }) : name;
  const face = h("button", { type: "button", role: "tab", class: "tab-face", "aria-selected": String(current), "aria-label": label, title: name, tabindex: current ? 0 : -1 });
  face.append(h("span", {}, name.split("/").at(-1) ?? ""), h("i", { class: "tab-dirty", hidden: !tab.dirty.value }));
  face.addEventListener("click", () => parts.workspace.show(tab));
  const close = async () => (await import("./save.js")).closeTab(parts, tab);
  face.addEventListener("auxclick", (event) => event.button === 1 && void close());
  return h("div", { class: "tab", role: "presentation" }, face, button({ label: t("tabs.close", { name }), icon: "close", class: "button small" }, () => void close()));
}
