/** The tour, offered to who is here for the first time; taken or declined, it is not offered again. */

import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { button, h } from "../dom.js";

/** @import {Parts} from "../actions/action.js" */

/** @param {Parts} parts */
export function tourOffer(parts) {
  const { settings } = parts;
  const take = button({ label: t("tour.take"), text: t("tour.take"), class: "button wide" }, () => parts.actions.get("tour")?.run());
  const decline = button({ label: t("tour.decline"), icon: "close", class: "button small" }, () => (settings.toured.value = true));
  const element = h("section", { class: "panel-section offer", "aria-label": t("action.tour") }, h("p", {}, t("tour.offer")), take, decline);
  effect(() => element.toggleAttribute("hidden", settings.toured.value));
  return element;
}
