/** Five steps about the page, each beside what it is about. Closed or finished, it is not offered again. */

import { t } from "../core/strings.js";
import { button, h, placeAt } from "../dom.js";
import { learnAll } from "../language.js";

/** @import {Parts} from "../actions/action.js" */

await learnAll();

const STEPS = /** @type {const} */ ([
  [".form textarea, .node textarea", "tour.prompt"],
  [".button.run, .button.cancel", "tour.run"],
  [".panel", "tour.result"],
  [".canvas, .form-head .button", "tour.graph"],
  [".bar-menu", "tour.more"],
]);
const GAP = 12;

/** @param {Parts} parts */
export function startTour({ settings }) {
  settings.toured.value = true;
  const text = h("p", {});
  const count = h("small", { class: "quiet" });
  const next = button({ label: t("tour.next"), text: t("tour.next"), class: "button primary" }, () => go(at + 1));
  const skip = button({ label: t("tour.end"), text: t("tour.end"), class: "button wide" }, () => end());
  const card = h("div", { class: "tour", role: "dialog", "aria-label": t("action.tour"), popover: "manual" }, text, h("div", { class: "dialog-foot" }, count, skip, next));
  let at = 0;
  /** @type {Element | null} */
  let marked = null;
  const before = document.activeElement;
  const end = () => {
    marked?.classList.remove("toured");
    card.remove();
    if (before instanceof HTMLElement && before.checkVisibility()) before.focus({ preventScroll: true });
  };
  const go = (/** @type {number} */ step) => {
    marked?.classList.remove("toured");
    if (step >= STEPS.length) return end();
    at = step;
    const [selector, key] = STEPS[step];
    marked = [...document.querySelectorAll(selector)].find((each) => each.checkVisibility({ visibilityProperty: true })) ?? document.body;
    marked.classList.add("toured");
    text.textContent = t(key);
    count.textContent = t("tour.count", { step: step + 1, total: STEPS.length });
    const last = step === STEPS.length - 1;
    next.setAttribute("aria-label", t(last ? "tour.done" : "tour.next"));
    next.textContent = t(last ? "tour.done" : "tour.next");
    place(card, marked.getBoundingClientRect());
    next.focus();
  };
  card.addEventListener("keydown", (event) => {
    if (event.key === "Escape") end();
  });
  document.body.append(card);
  card.showPopover();
  go(0);
}

/** Beside the box, on the screen. @param {HTMLElement} card @param {DOMRect} box */
function place(card, box) {
  const { width, height } = card.getBoundingClientRect();
  const below = box.bottom + GAP + height < innerHeight;
  const beside = box.left - width - GAP > 0 ? box.left - width - GAP : box.left + GAP;
  placeAt(card, below ? { x: box.left, y: box.bottom + GAP } : { x: beside, y: box.top + GAP });
}
