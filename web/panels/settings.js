/** What can be chosen for the page, and which packs may bring modules to it. */

import { ApiError } from "../api.js";
import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { button, h } from "../dom.js";
import { learnAll } from "../language.js";
import { openDialog } from "./dialog.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {Settings} from "../settings.js" */
/**
 * @template T
 * @typedef {import("../core/store.js").Signal<T>} Signal
 */

/** @param {Parts} parts */
export async function openSettings(parts) {
  await learnAll();
  const { settings, extensions } = parts;
  const language = choice("language", settings.language, [["", t("settings.language.system")], ["en", "English"], ["zh", "简体中文"]]);
  language.querySelector("select")?.addEventListener("change", () => location.reload());
  const packs = h("div", {});
  openDialog(
    t("action.settings"),
    "settings",
    choice("theme", settings.theme, [["system", t("settings.theme.system")], ["light", t("settings.theme.light")], ["dark", t("settings.theme.dark")], ["contrast", t("settings.theme.contrast")]]),
    language,
    choice("textSize", settings.textSize, [[100, "100 %"], [125, "125 %"], [150, "150 %"], [200, "200 %"]]),
    choice("motion", settings.motion, [["system", t("settings.motion.system")], ["full", t("settings.motion.full")], ["reduced", t("settings.motion.reduced")]]),
    choice("links", settings.links, [["curved", t("settings.links.curved")], ["straight", t("settings.links.straight")], ["angled", t("settings.links.angled")]]),
    toggle("snap", settings.snap),
    toggle("sound", settings.sound),
    packs,
    h("div", { class: "dialog-foot" }, button({ label: t("action.shortcuts"), text: t("action.shortcuts"), class: "button wide" }, () => parts.actions.get("shortcuts")?.run())),
  );
  try {
    const known = await extensions.known();
    if (known.length > 0) packs.replaceChildren(...packRows(settings, known));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    packs.replaceChildren(h("p", { class: "quiet" }, error.message));
  }
}

/** @param {Settings} settings @param {readonly string[]} names @returns {Node[]} */
function packRows(settings, names) {
  const rows = names.map((name) => {
    const box = h("input", { type: "checkbox", checked: settings.packs.peek().includes(name) });
    box.addEventListener("change", () => {
      const rest = settings.packs.peek().filter((each) => each !== name);
      settings.packs.value = box.checked ? [...rest, name] : rest;
      location.reload();
    });
    return h("label", { class: "setting" }, h("span", {}, name), box);
  });
  return [h("h3", {}, t("settings.packs")), h("p", { class: "quiet" }, t("settings.packsHint")), ...rows];
}

/**
 * @template {string | number} T
 * @param {"theme" | "language" | "textSize" | "motion" | "links"} name
 * @param {Signal<T>} setting
 * @param {readonly [T, string][]} options
 */
function choice(name, setting, options) {
  const list = h("select", { class: "field" }, ...options.map(([value, text]) => h("option", { value }, text)));
  effect(() => {
    list.value = String(setting.value);
  });
  list.addEventListener("change", () => {
    const chosen = options.find(([value]) => String(value) === list.value);
    if (chosen) setting.value = chosen[0];
  });
  return h("label", { class: "setting" }, h("span", {}, t(`settings.${name}`)), list);
}

/** @param {"snap" | "sound"} name @param {Signal<boolean>} setting */
function toggle(name, setting) {
  const box = h("input", { type: "checkbox", role: "switch", checked: setting.peek() });
  box.addEventListener("change", () => {
    setting.value = box.checked;
  });
  return h("label", { class: "setting" }, h("span", {}, t(`settings.${name}`)), box);
}
