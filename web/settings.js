/** What a person has chosen for the page, kept by the browser and shared by all windows of it. */

import { effect, signal } from "./core/store.js";

/**
 * @typedef {{theme: "system" | "light" | "dark" | "contrast", language: string, motion: "system" | "full" | "reduced",
 *            links: "curved" | "straight" | "angled", snap: boolean, sound: boolean, textSize: number,
 *            shortcuts: Readonly<Record<string, readonly string[]>>, packs: readonly string[], toured: boolean, view: "" | "graph" | "form",
 *            recent: readonly string[]}} Choices
 *   `language`: "" for the browser's; `textSize` in percent; `shortcuts`: keys by action where they are not the usual;
 *   `view`: "" for the form on a phone, else the graph; `packs`: those whose modules may run here; `recent`: names of documents, latest first
 * @typedef {{[K in keyof Choices]: import("./core/store.js").Signal<Choices[K]>}} Settings
 */

const KEY = "weft.settings";
const LANGUAGES = ["en", "zh"];
const PHONE = matchMedia("(max-width: 600px), (max-height: 500px) and (pointer: coarse)");
const onPhone = signal(PHONE.matches);
PHONE.addEventListener("change", () => (onPhone.value = PHONE.matches));

/** @type {Choices} */
const USUAL = {
  theme: "system",
  language: "",
  motion: "system",
  links: "curved",
  snap: true,
  sound: false,
  textSize: 100,
  shortcuts: {},
  packs: [],
  toured: false,
  view: "",
  recent: [],
};

/** The settings as signals: what is set is kept, and seen by other windows. @param {Storage} storage @returns {Settings} */
export function createSettings(storage) {
  const settings = /** @type {Settings} */ (Object.fromEntries(Object.entries({ ...USUAL, ...read(storage) }).map(([name, value]) => [name, signal(value)])));
  effect(() => {
    const chosen = Object.entries(settings).filter(([name, each]) => JSON.stringify(each.value) !== JSON.stringify(own(USUAL, name)));
    storage.setItem(KEY, JSON.stringify(Object.fromEntries(chosen.map(([name, each]) => [name, each.value]))));
  });
  addEventListener("storage", (event) => {
    if (event.key !== KEY) return;
    const told = { ...USUAL, ...read(storage) };
    for (const [name, each] of Object.entries(settings)) {
      if (JSON.stringify(each.peek()) !== JSON.stringify(own(told, name))) each.value = /** @type {never} */ (own(told, name));
    }
  });
  return settings;
}

/** Whether the form is shown, or the graph. @param {Settings} settings */
export const viewOf = ({ view }) => view.value || (onPhone.value ? "form" : "graph");

/** Show the page as chosen: theme, contrast, motion and size of text. @param {Settings} settings */
export function applyLook(settings) {
  const { dataset, style } = document.documentElement;
  const [contrast, still] = [matchMedia("(prefers-contrast: more)"), matchMedia("(prefers-reduced-motion: reduce)")];
  const apply = () => {
    const theme = settings.theme.value;
    dataset.view = viewOf(settings);
    dataset.theme = theme === "contrast" ? "system" : theme;
    dataset.contrast = theme === "contrast" || (theme === "system" && contrast.matches) ? "more" : "usual";
    const motion = settings.motion.value;
    dataset.motion = motion === "reduced" || (motion === "system" && still.matches) ? "reduced" : "full";
    style.setProperty("--text-size", `${settings.textSize.value / 100}`);
  };
  for (const query of [contrast, still]) query.addEventListener("change", apply);
  effect(apply);
}

/** The language to speak: the chosen one, else the browser's where we have it. @param {Settings} settings */
export const languageOf = (settings) => LANGUAGES.find((each) => (settings.language.peek() || navigator.language).startsWith(each)) ?? LANGUAGES[0];

/** @param {Storage} storage @returns {Partial<Choices>} only what is of the kind it must be */
function read(storage) {
  try {
    const told = JSON.parse(storage.getItem(KEY) ?? "{}");
    return Object.fromEntries(Object.entries(USUAL).flatMap(([name, value]) => (sameKind(own(told, name), value) ? [[name, own(told, name)]] : [])));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return {};
  }
}

/** @param {unknown} value @param {unknown} like */
const sameKind = (value, like) => typeof value === typeof like && value !== null && Array.isArray(value) === Array.isArray(like);

/** @param {unknown} record @param {string} name @returns {unknown} */
const own = (record, name) => (typeof record === "object" && record !== null && Object.hasOwn(record, name) ? /** @type {Record<string, unknown>} */ (record)[name] : undefined);
