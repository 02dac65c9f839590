/** The bar at the top: what is open, the main commands, and Run. */

import { describe } from "../actions/keys.js";
import { button, h, icon, setAttributes, setText, walkByArrows } from "../dom.js";
import { fraction, isActive } from "../core/run.js";
import { effect, signal } from "../core/store.js";
import { t } from "../core/strings.js";
import { forecastLine, runLine } from "./runline.js";

/** @import {Action} from "../actions/action.js" */
/** @import {Parts} from "../actions/action.js" */

/** How often the time to the next try to connect is told. */
const SECOND_MS = 1000;

/** @param {Parts} parts @param {ReadonlyMap<string, Action>} actions */
export function topBar(parts, actions) {
  const { runner, workspace, engine, forecast } = parts;
  const name = h("input", { class: "bar-name", "aria-label": t("bar.name"), placeholder: t("app.untitled"), spellcheck: "false", maxlength: 100 });
  name.addEventListener("change", () => {
    workspace.rename(name.value.trim());
  });
  const unsaved = h("span", { class: "unsaved", title: t("app.unsaved"), hidden: true });
  const status = h("div", { class: "bar-status" });
  const reconnect = commandButton(actions, "reconnect", { text: t("action.reconnect"), class: "button wide reconnect" });
  const meter = h("div", { class: "meter", role: "progressbar", "aria-label": t("bar.progress"), "aria-valuemin": 0, "aria-valuemax": 100 }, h("i"));
  const run = commandButton(actions, "run", { icon: "run", text: t("action.run"), class: "button run" });
  const cancel = commandButton(actions, "cancel", { icon: "stop", text: t("action.cancel"), class: "button cancel" });

  effect(() => {
    if (name !== document.activeElement) name.value = workspace.name.value;
    unsaved.toggleAttribute("hidden", !workspace.dirty.value);
    document.title = [workspace.name.value, t("app.name")].filter(Boolean).join(" · ");
  });
  const tick = signal(0);
  let ticking = 0;
  effect(() => {
    tick.value;
    const current = runner.run.value;
    const active = isActive(current);
    const offline = engine.state.value === "offline";
    const focused = document.activeElement === run || document.activeElement === cancel;
    run.toggleAttribute("hidden", active);
    cancel.toggleAttribute("hidden", !active);
    if (focused) (active ? cancel : run).focus();
    const problems = [...runner.problems.value.values()].flat().length;
    setText(status, runLine(parts));
    reconnect.toggleAttribute("hidden", !offline);
    clearTimeout(ticking);
    if (offline) ticking = window.setTimeout(() => (tick.value += 1), SECOND_MS);
    status.dataset.tone = offline || problems > 0 ? "bad" : active || engine.state.value === "starting" ? "busy" : "calm";
    run.title = [describe(/** @type {Action} */ (actions.get("run"))), forecastLine(forecast.told.value)].filter(Boolean).join("\n");
    const percent = active ? Math.round(100 * fraction(current)) : 0;
    meter.classList.toggle("active", active);
    setAttributes(meter, { "aria-valuenow": percent });
    /** @type {HTMLElement} */ (meter.firstElementChild).style.width = `${percent}%`;
  });

  return h(
    "header",
    { class: "bar" },
    /** @type {HTMLElement} */ (document.querySelector(".brand")).cloneNode(true),
    menu(actions),
    h("div", { class: "bar-title" }, name, unsaved),
    h(
      "div",
      { class: "bar-group", role: "group", "aria-label": t("bar.view") },
      commandButton(actions, "undo", { icon: "undo" }),
      commandButton(actions, "redo", { icon: "redo" }),
      commandButton(actions, "addNode", { icon: "plus" }),
      commandButton(actions, "fit", { icon: "fit" }),
    ),
    commandButton(actions, "form", { icon: "sliders", class: "button to-form" }),
    h("div", { class: "bar-end" }, status, reconnect, run, cancel, runMenu(parts, actions)),
    meter,
  );
}

/** @param {ReadonlyMap<string, Action>} actions @param {string} id @param {{icon?: string, text?: string, class?: string}} look */
function commandButton(actions, id, look) {
  const action = /** @type {Action} */ (actions.get(id));
  const element = button({ ...look, label: t(action.title), title: describe(action) }, () => action.run());
  element.dataset.action = id;
  effect(() => {
    element.disabled = !action.enabled();
  });
  return element;
}

const MENU = ["new", "templates", "panel.files", "panel.versions", "", "save", "saveAs", "saveVersion", "download", "exportPng", "copyLink", "", "selectAll", "duplicate", "delete", "arrange", "", "palette", "form", "panel.outline", "panel.help", "settings", "shortcuts", "tour"];

/** @param {ReadonlyMap<string, Action>} actions */
function menu(actions) {
  const list = h("div", { class: "menu", popover: "auto", id: "main-menu", role: "menu", "aria-label": t("bar.main") });
  for (const id of MENU) {
    const action = actions.get(id);
    if (!action) {
      list.append(h("hr"));
      continue;
    }
    const keys = describe(action).match(/\((.*)\)$/)?.[1] ?? "";
    const item = h("button", { type: "button", role: "menuitem", class: "menu-item" }, h("span", {}, t(action.title)), h("kbd", {}, keys));
    item.addEventListener("click", () => {
      list.hidePopover();
      action.run();
    });
    list.append(item);
    effect(() => {
      item.disabled = !action.enabled();
    });
  }
  walkByArrows(list);
  const opener = h("button", { type: "button", class: "button", "aria-label": t("bar.main"), title: t("bar.main"), popovertarget: "main-menu", "aria-haspopup": "menu" }, icon("menu"));
  return h("div", { class: "bar-menu" }, opener, list);
}

/** How to run, beside Run. @param {Parts} parts @param {ReadonlyMap<string, Action>} actions */
function runMenu(parts, actions) {
  const { runner } = parts;
  const list = h("div", { class: "menu run-menu", popover: "auto", id: "run-menu", "aria-label": t("run.options") });
  list.addEventListener("beforetoggle", async () => (await import("./runmenu.js")).fillRunMenu(list, parts, actions), { once: true });
  const opener = h("button", { type: "button", class: "button run-more", "aria-label": t("run.options"), title: t("run.options"), popovertarget: list.id, "aria-haspopup": "dialog" }, icon("down"));
  effect(() => opener.classList.toggle("on", runner.auto.value || runner.count.value > 1));
  return h("div", { class: "bar-menu run-options" }, opener, list);
}
