/** How to run: on every change, several times, only what leads to the selected nodes, or behind what runs already. */

import { describe } from "../actions/keys.js";
import { h, setText } from "../dom.js";
import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { learnAll } from "../language.js";
import { combinations } from "../request.js";

/** @import {Action, Parts} from "../actions/action.js" */

const COMMANDS = ["runHere", "enqueue", "enqueueFirst"];
const MOST = 1000;

/** What is in the menu beside Run. @param {HTMLElement} list @param {Parts} parts @param {ReadonlyMap<string, Action>} actions */
export async function fillRunMenu(list, { runner, editor }, actions) {
  await learnAll();
  for (const id of COMMANDS) {
    const action = /** @type {Action} */ (actions.get(id));
    const keys = describe(action).match(/\((.*)\)$/)?.[1] ?? "";
    const item = h("button", { type: "button", class: "menu-item" }, h("span", {}, t(action.title)), h("kbd", {}, keys));
    item.addEventListener("click", () => {
      list.hidePopover();
      action.run();
    });
    effect(() => {
      item.disabled = !action.enabled();
    });
    list.append(item);
  }
  const count = h("input", { type: "number", class: "field", min: 1, max: MOST, step: 1, value: runner.count.peek() });
  count.addEventListener("change", () => {
    runner.count.value = Math.min(MOST, Math.max(1, Math.round(count.valueAsNumber) || 1));
    count.value = String(runner.count.peek());
  });
  const auto = h("input", { type: "checkbox", role: "switch", class: "toggle" });
  auto.addEventListener("change", () => {
    runner.auto.value = auto.checked;
  });
  const sweep = h("p", { class: "quiet menu-note" });
  list.append(h("hr"), h("label", { class: "menu-item" }, h("span", {}, t("run.count")), count), h("label", { class: "menu-item" }, h("span", {}, t("action.auto")), auto), sweep);
  effect(() => {
    auto.checked = runner.auto.value;
  });
  const tellSweep = () => {
    const many = combinations(editor);
    setText(sweep, many > 1 ? t("run.sweep", { count: many }) : "");
  };
  tellSweep();
  list.addEventListener("toggle", tellSweep);
}
