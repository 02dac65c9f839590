/** A seed: a whole number that can be typed and drawn, with what becomes of it after a run, and the one used last. */

import { button, h, icon } from "../dom.js";
import { AFTER_RUN, drawSeed, isSeed } from "../core/seeds.js";
import { t } from "../core/strings.js";
import { numberBox } from "./number.js";
import { openList } from "./popup.js";

/** @import {Control, Field} from "./index.js" */
/** @import {AfterRun, Seed} from "../core/seeds.js" */
/** @import {Option} from "./popup.js" */

const SIGNS = /** @type {Readonly<Record<AfterRun, string>>} */ ({ keep: "=", random: "", increment: "+1", decrement: "−1" });

/** @param {Field} field @returns {Control} */
export function seedControl(field) {
  const { box, show: showBox } = numberBox(field);
  const draw = button({ label: t("widget.random"), icon: "dice", class: "field-button" }, () => field.set(drawSeed(), true));
  const mode = h("button", { type: "button", class: "seed-mode", "aria-haspopup": "listbox" });
  mode.addEventListener("click", () => {
    const [used, now] = [field.used(), field.after()];
    /** @type {Option<AfterRun | Seed>[]} */
    const options = AFTER_RUN.map((each) => ({ value: each, label: t(`seed.${each}`), selected: each === now }));
    if (used !== undefined && used !== field.value()) options.push({ value: used, label: t("seed.useLast", { seed: used }) });
    openList(mode, {
      label: t("seed.after", { label: field.label }),
      search: "",
      options: () => options,
      choose: (chosen) => (isSeed(chosen) ? field.set(chosen, true) : field.setAfter(/** @type {AfterRun} */ (chosen))),
      none: "",
    });
  });
  /** @param {unknown} value */
  const show = (value) => {
    showBox(value);
    const now = field.after();
    const used = field.used();
    const label = t("seed.now", { label: field.label, mode: t(`seed.${now}`) });
    if (mode.dataset.mode !== now) mode.replaceChildren(now === "random" ? icon("dice") : SIGNS[now]);
    mode.dataset.mode = now;
    mode.setAttribute("aria-label", label);
    mode.title = [label, used === undefined ? "" : t("seed.last", { seed: used })].filter(Boolean).join("\n");
  };
  return { element: h("div", { class: "control seed", "data-input": field.input.name }, h("div", { class: "seed-box" }, box, mode), draw), show };
}
