/** A small surface beside a control: a list to choose from. It closes by Escape, by a press outside, and when the control goes. */

import { h } from "../dom.js";

/** The list that is open, for who says that it controls it. */
export const LIST = "options";

/**
 * @template T
 * @typedef {{value: T, label: string, note?: string, picture?: string, selected?: boolean}} Option
 */

/**
 * Show options under a control and let one be chosen with keys or pointer.
 * @template T
 * @param {HTMLElement} anchor
 * @param {{label: string, search: string | null, options: (typed: string) => readonly Option<T>[], choose: (value: T) => void, none: string}} look
 *   `search`: what the field to type in says; "": there is none; null: none, and keys come from elsewhere, by `key`
 */
export function openList(anchor, look) {
  const box = !look.search ? null : h("input", { type: "text", class: "field", role: "searchbox", "aria-label": look.search, placeholder: look.search, autocomplete: "off", spellcheck: "false" });
  const list = h("ul", { class: "options", role: "listbox", id: LIST, "aria-label": look.label, tabindex: look.search === null ? null : 0 });
  const element = h("div", { class: "popup", popover: look.search === null ? "manual" : "auto" }, box, list);
  /** What has the focus while an option is chosen. */
  const typedIn = look.search === null ? anchor : (box ?? list);
  /** @type {readonly Option<T>[]} */
  let shown = [];
  let at = 0;
  const move = (/** @type {number} */ to) => {
    at = Math.min(Math.max(0, to), shown.length - 1);
    for (const [index, item] of [...list.children].entries()) {
      item.setAttribute("aria-selected", String(index === at));
      if (index === at) item.scrollIntoView({ block: "nearest" });
    }
    if (shown.length > 0) typedIn.setAttribute("aria-activedescendant", `${LIST}-${at}`);
    else typedIn.removeAttribute("aria-activedescendant");
  };
  const choose = () => {
    const option = shown[at];
    close();
    if (option) look.choose(option.value);
  };
  const fill = (/** @type {string} */ typed) => {
    shown = look.options(typed);
    list.replaceChildren(
      ...shown.map((option, index) => {
        const item = h("li", { role: "option", class: "option", id: `${LIST}-${index}` }, option.picture ? pictureOf(option.picture) : null, h("span", {}, option.label), option.note ? h("small", {}, option.note) : null);
        item.addEventListener("mousedown", (event) => event.preventDefault());
        item.addEventListener("click", () => {
          at = index;
          choose();
        });
        return item;
      }),
    );
    if (shown.length === 0) list.append(h("li", { class: "quiet", role: "option", "aria-disabled": "true" }, look.none));
    move(typed === "" ? Math.max(0, shown.findIndex((option) => option.selected)) : 0);
  };
  /** Whether the list took the key. @param {KeyboardEvent} event */
  const key = (event) => {
    if (event.isComposing) return false;
    const steps = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 });
    if (Object.hasOwn(steps, event.key)) move(at + steps[event.key]);
    else if (event.key === "Enter" || (event.key === "Tab" && box === null)) choose();
    else if (event.key === "Escape") close();
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  const close = () => {
    if (element.isConnected) element.hidePopover();
  };
  box?.addEventListener("input", () => fill(box.value));
  element.addEventListener("keydown", (event) => void (key(event) || event.stopPropagation()));
  element.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== "closed") return;
    const focused = element.contains(document.activeElement);
    element.remove();
    if (!document.getElementById(LIST)) typedIn.removeAttribute("aria-activedescendant");
    if (focused) anchor.focus({ preventScroll: true });
  });
  document.body.append(element);
  fill("");
  element.showPopover();
  place(element, anchor);
  move(at);
  if (look.search !== null) (box ?? list).focus();
  return { element, fill, key, close };
}

/** Below the anchor, or above where there is more room. @param {HTMLElement} element @param {HTMLElement} anchor */
export function place(element, anchor) {
  const { left, top, bottom, width } = anchor.getBoundingClientRect();
  const zoom = element.getBoundingClientRect().width / element.offsetWidth || 1;
  element.style.minWidth = `${Math.max(200, width / zoom)}px`;
  const own = element.getBoundingClientRect();
  const above = innerHeight - bottom < own.height + 8 && top > innerHeight - bottom;
  element.style.left = `${Math.max(8, Math.min(left, innerWidth - own.width - 8)) / zoom}px`;
  element.style.top = above ? "auto" : `${(bottom + 4) / zoom}px`;
  element.style.bottom = above ? `${(innerHeight - top + 4) / zoom}px` : "auto";
}

/** @param {string} source */
function pictureOf(source) {
  const image = h("img", { src: source, alt: "", loading: "lazy" });
  image.addEventListener("error", () => image.classList.add("none"));
  return image;
}
