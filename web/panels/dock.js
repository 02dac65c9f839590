/** The places beside the canvas: on the left at most one panel that was asked for, on the right the result and panels in its place. */

import { button, h } from "../dom.js";
import { effect, signal } from "../core/store.js";
import { t } from "../core/strings.js";
import { learnAll } from "../language.js";
import { describe } from "../actions/keys.js";
import { PANELS } from "./index.js";

/** @import {Action, Parts} from "../actions/action.js" */
/** @import {Panel} from "./index.js" */

const HOME = "result";

export class Dock {
  rail = h("nav", { class: "rail", "aria-label": t("dock.panels"), hidden: true });
  left = h("aside", { class: "dock", hidden: true });
  right = h("aside", { class: "panel", "aria-label": t("result.title") });
  /** Which panel is open on each side. @type {{left: import("../core/store.js").Signal<string>, right: import("../core/store.js").Signal<string>}} */
  shown = { left: signal(""), right: signal(HOME) };
  #tabs = h("div", { class: "panel-tabs", role: "group", "aria-label": t("dock.panels"), hidden: true });
  /** @type {Map<string, HTMLElement>} */
  #made = new Map();
  /** @type {Map<string, Panel>} */
  #panels = new Map();
  /** The buttons that open them. @type {Map<string, HTMLElement>} */
  #openers = new Map();
  /** The panel that takes the focus once it is there, and what had it before. @type {{id: string, from: Element | null}} */
  #entered = { id: "", from: null };
  /** @type {Parts | null} */
  #parts = null;

  /** @param {Parts} parts @param {ReadonlyMap<string, Action>} actions @param {HTMLElement} result */
  start(parts, actions, result) {
    this.#parts = parts;
    this.#made.set(HOME, result);
    this.right.append(this.#tabs, result);
    this.#tabs.append(this.#opener({ id: HOME, title: "result.title", icon: "picture", side: "right" }, t("result.title")));
    for (const panel of PANELS) this.add(panel, actions.get(`panel.${panel.id}`));
    effect(() => this.#show("left", this.shown.left.value));
    effect(() => this.#show("right", this.shown.right.value));
  }

  /** Another panel to open. @param {Panel} panel @param {Action} [action] */
  add(panel, action) {
    this.#panels.set(panel.id, panel);
    const place = panel.side === "left" ? this.rail : this.#tabs;
    place.append(this.#opener(panel, action ? describe(action) : t(panel.title)));
    place.toggleAttribute("hidden", false);
  }

  /** Open a panel, or close it when it is open. @param {string} id */
  toggle(id) {
    const side = this.#sideOf(id);
    const { [side]: shown } = this.shown;
    shown.value = shown.peek() === id ? closed(side) : id;
  }

  /** Open a panel and put the focus into it, or close it and put the focus back. @param {string} id */
  enter(id) {
    const opens = this.shown[this.#sideOf(id)].peek() !== id;
    const { from } = this.#entered;
    this.#entered = opens ? { id, from: document.activeElement } : { id: "", from: null };
    const inside = this.#made.get(id)?.contains(document.activeElement);
    this.toggle(id);
    // A node takes the selection when it gets the focus; several that were chosen meanwhile stay chosen.
    const chosen = (this.#parts?.editor.selection.peek().size ?? 0) > 1 && from?.closest(".node");
    if (inside && from instanceof HTMLElement) (chosen ? (this.#parts?.view.element ?? from) : from).focus({ preventScroll: true });
  }

  /** @param {string} id */
  open(id) {
    this.shown[this.#sideOf(id)].value = id;
  }

  /** @param {"left" | "right"} side */
  close(side) {
    this.shown[side].value = closed(side);
  }

  /** @param {Omit<Panel, "create">} panel @param {string} title */
  #opener({ id, title: key, icon, side }, title) {
    const element = button({ label: t(key), icon, title, class: "button" }, () => (id === HOME ? this.open(id) : this.toggle(id)));
    this.#openers.set(id, element);
    effect(() => element.setAttribute("aria-pressed", String(this.shown[side].value === id)));
    return element;
  }

  /** @param {string} id */
  #sideOf(id) {
    return this.#panels.get(id)?.side ?? "right";
  }

  /** @param {Panel} panel */
  #head(panel) {
    const close = button({ label: t("dock.close", { title: t(panel.title) }), icon: "close", class: "button" }, () => {
      this.close(panel.side);
      this.#openers.get(panel.id)?.focus();
    });
    return h("div", { class: "dock-head" }, h("h2", {}, t(panel.title)), close);
  }

  /** @param {"left" | "right"} side @param {string} id */
  #show(side, id) {
    const place = side === "left" ? this.left : this.right;
    for (const child of place.children) if (child !== this.#tabs) child.toggleAttribute("hidden", true);
    place.toggleAttribute("hidden", id === "");
    const panel = this.#panels.get(id);
    if (panel) place.setAttribute("aria-label", t(panel.title));
    else if (id === HOME) place.setAttribute("aria-label", t("result.title"));
    const made = this.#made.get(id);
    if (made) this.#reveal(id, made);
    else if (panel && this.#parts) void this.#make(panel, this.#parts, place);
  }

  /** @param {Panel} panel @param {Parts} parts @param {HTMLElement} place */
  async #make(panel, parts, place) {
    await learnAll();
    const body = await panel.create(parts);
    if (this.#made.has(panel.id)) return;
    const element = panel.side === "right" ? body : h("section", {}, this.#head(panel), body);
    this.#made.set(panel.id, element);
    place.append(element);
    element.hidden = true;
    if (this.shown[panel.side].peek() === panel.id) this.#reveal(panel.id, element);
  }

  /** @param {string} id @param {HTMLElement} element */
  #reveal(id, element) {
    element.hidden = false;
    if (this.#entered.id !== id) return;
    const inside = element.querySelectorAll(':is(button, input, [tabindex="0"]):not([disabled])');
    /** @type {HTMLElement | undefined} */ ([...inside].find((each) => !each.closest(".dock-head")) ?? inside[0])?.focus();
  }
}

/** @param {"left" | "right"} side */
const closed = (side) => (side === "left" ? "" : HOME);
