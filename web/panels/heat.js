/** The words of a prompt as buttons under its picture: each lays over it which parts it has to do with. */

import { job } from "../api.js";
import { coloured, placeOf, recorderOf, wordsOf } from "../core/heat.js";
import { language, t } from "../core/strings.js";
import { h, setText } from "../dom.js";

/** @import {View, Word} from "../core/heat.js" */
/** @import {Workflow} from "../core/cells.js" */
/** @import {Made} from "./look.js" */

/** What is recorded of the words of pictures; files are read once. */
export class Recorded {
  /** @type {Map<string, Promise<View>>} */
  #views = new Map();

  /** The words of a picture's prompt, none where its workflow recorded none. Throws ApiError. @param {Made} made @param {Workflow} workflow @returns {Promise<readonly Word[]>} */
  async wordsOf({ job: id, node, file }, workflow) {
    const recorder = recorderOf(workflow, node);
    if (recorder === null) return [];
    const { outputs } = await job(id);
    const url = outputs[recorder]?.[0]?.url;
    if (url === undefined) return [];
    const reading = this.#views.get(url) ?? fetch(url).then((answer) => (answer.ok ? answer.json() : NOTHING));
    this.#views.set(url, reading);
    const view = await reading;
    const at = placeOf(view, outputs[node] ?? [], file);
    return at < 0 ? [] : wordsOf(view, at, language());
  }
}

/** @type {View} */
const NOTHING = { text: "", tokens: [], pictures: [] };

/** Buttons and the map that is laid over the picture. */
export class WordBar {
  /** Lies over the picture. */
  map = h("canvas", { class: "heat", role: "img", hidden: true });
  #words = h("div", { class: "heat-words", role: "toolbar", "aria-label": t("heat.words") });
  #strength = h("input", { type: "range", min: 10, max: 100, value: 70, class: "heat-strength", "aria-label": t("heat.strength"), title: t("heat.strength") });
  #told = h("span", { class: "quiet heat-told", role: "status" });
  element = h("div", { class: "viewer-heat", hidden: true }, this.#words, this.#told, this.#strength);
  /** The word that was pressed; "" for none. */
  #pressed;

  /** @param {string} pressed  the word to begin with */
  constructor(pressed = "") {
    this.#pressed = pressed;
    this.#strength.addEventListener("input", () => this.#fade());
    this.#words.addEventListener("keydown", (event) => this.#walk(event));
    this.#fade();
  }

  /** Offer the words of the picture that is shown; the one that was pressed stays so. @param {readonly Word[]} words */
  offer(words) {
    this.element.toggleAttribute("hidden", words.length === 0);
    this.#words.replaceChildren(...words.map((word) => this.#button(word, words)));
    this.#show(words, words.find(({ text }) => text === this.#pressed));
  }

  /** @param {Word} word @param {readonly Word[]} words */
  #button(word, words) {
    const element = h("button", { type: "button", class: "button heat-word", "data-word": word.text }, word.text);
    element.addEventListener("click", () => {
      this.#pressed = this.#pressed === word.text ? "" : word.text;
      this.#show(words, this.#pressed === "" ? undefined : word);
    });
    element.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.#paint(word));
    element.addEventListener("pointerleave", () => this.#paint(words.find(({ text }) => text === this.#pressed)));
    return element;
  }

  /** @param {readonly Word[]} words @param {Word | undefined} word */
  #show(words, word) {
    const buttons = [.../** @type {HTMLCollectionOf<HTMLElement>} */ (this.#words.children)];
    const at = Math.max(0, words.findIndex(({ text }) => text === word?.text));
    for (const [index, button] of buttons.entries()) {
      button.setAttribute("aria-pressed", String(words[index] === word));
      button.tabIndex = index === at ? 0 : -1;
    }
    this.#paint(word);
  }

  /** @param {Word | undefined} word */
  #paint(word) {
    this.map.toggleAttribute("hidden", word === undefined);
    setText(this.#told, word ? t("heat.peak", { share: new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: 1 }).format(word.peak) }) : t("heat.hint"));
    if (!word) return;
    this.map.setAttribute("aria-label", t("heat.map", { word: word.text }));
    [this.map.width, this.map.height] = [word.width, word.height];
    this.map.getContext("2d")?.putImageData(new ImageData(coloured(word.map), word.width, word.height), 0, 0);
  }

  #fade() {
    this.map.style.opacity = String(this.#strength.valueAsNumber / 100);
  }

  /** Arrows go from word to word; while one is laid over the picture, the next one is. @param {KeyboardEvent} event */
  #walk(event) {
    const buttons = [.../** @type {HTMLCollectionOf<HTMLElement>} */ (this.#words.children)];
    const at = buttons.indexOf(/** @type {HTMLElement} */ (event.target));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = /** @type {HTMLElement} */ (buttons.at(to % buttons.length));
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next.focus();
    if (this.#pressed !== "") next.click();
  }
}
