/** What can be chosen for the page, and which packs may bring modules to it. */

import { ApiError, get } from "../api.js";
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
    const [{ packs: there }, modules] = await Promise.all([get("/nodes"), extensions.known()]);
    if (Object.keys(there).length > 0) packs.replaceChildren(...packRows(settings, there, new Set(modules)));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    packs.replaceChildren(h("p", { class: "quiet" }, error.message));
  }
}

/**
 * @param {Settings} settings
 * @param {Readonly<Record<string, {nodes: readonly string[], error: string | null}>>} there
 * @param {ReadonlySet<string>} modules  the names of those that bring some
 * @returns {Node[]}
 */
function packRows(settings, there, modules) {
  const rows = Object.entries(there).flatMap(([name, { nodes, error }]) => {
    const head = h("span", {}, name, nodes.length > 0 ? h("small", {}, t("settings.packNodes", { count: nodes.length })) : null);
    const why = error ? h("details", { class: "pack-error" }, h("summary", {}, t(nodes.length === 0 ? "settings.packFailed" : "settings.packPartly")), h("pre", { lang: "en" }, error.trim())) : null;
    const row = modules.has(name) ? allowed(name, head) : h("div", { class: "setting" }, head);
    return why ? [row, why] : [row];
  });
  const hint = modules.size > 0 ? [h("p", { class: "quiet" }, t("settings.packsHint"))] : [];
  return [h("h3", {}, t("settings.packs")), ...hint, ...rows];

  /** Whose module may be allowed. @param {string} name @param {HTMLElement} head */
  function allowed(name, head) {
    const box = h("input", { type: "checkbox", checked: settings.packs.peek().includes(name) });
    box.addEventListener("change", () => {
      const rest = settings.packs.peek().filter((each) => each !== name);
      settings.packs.value = box.checked ? [...rest, name] : rest;
      location.reload();
    });
    return h("label", { class: "setting" }, head, box);
  }
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
