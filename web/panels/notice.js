/** One line at the foot of the page, over dialogs too, for what just happened; gone after a while, never over the work. */

import { h, setText } from "../dom.js";

const SHOWN_MS = 6000;

export class Notice {
  element = h("div", { class: "notice", popover: "manual", role: "status", "aria-live": "polite" });
  #timer = 0;

  /** @param {string} text */
  show(text) {
    setText(this.element, text);
    this.element.classList.add("shown");
    this.element.hidePopover();
    this.element.showPopover(); // Only what was shown last lies over everything else.
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.element.classList.remove("shown"), SHOWN_MS);
  }
}
