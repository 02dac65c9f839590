/** The box that finds a kind of node: by name, category, synonym or the type of the link being drawn; the recent ones first. */

import { h, placeAt, setText } from "../dom.js";
import { colourOf } from "../core/colours.js";
import { isComponent, usableIn } from "../core/components.js";
import { matchingPort } from "../core/connect.js";
import { categoryLabel, helpOf, portLabel } from "../core/naming.js";
import { NodeIndex } from "../core/search.js";
import { t } from "../core/strings.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {NodeSpec, Point, PortRef} from "../core/types.js" */

const SHOWN = 60;
const RECENT = "weft.recent";
const RECENT_MOST = 12;
/** What stands in for them at first: the kinds most workflows are made of. */
const USUAL = ["CLIPTextEncode", "KSampler", "VAEDecode", "SaveImage", "CheckpointLoader", "EmptyLatent", "LoadImage", "VAEEncode", "LoRALoader", "PreviewImage"];

export class NodeSearch {
  element = h("dialog", { class: "search", closedby: "any", "aria-label": t("search.title") });
  #box = h("input", { class: "search-box", type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "search-list", "aria-autocomplete": "list", spellcheck: "false", "aria-label": t("search.placeholder"), placeholder: t("search.placeholder") });
  #scope = h("div", { class: "search-scope", hidden: true });
  #list = h("div", { class: "search-list", id: "search-list", role: "listbox", "aria-label": t("search.title") });
  #index = new NodeIndex([], []);
  /** @type {NodeSpec[]} */
  #found = [];
  #chosen = 0;
  /** @type {PortRef | null} */
  #from = null;
  /** Where that link is to go on to, when it has an end already. @type {PortRef | null} */
  #into = null;
  /** @type {(spec: NodeSpec) => void} */
  #pick = () => {};
  #editor;

  /** @param {Editor} editor */
  constructor(editor) {
    this.#editor = editor;
    this.element.append(this.#box, this.#scope, this.#list);
    this.#box.addEventListener("input", () => this.#search());
    this.#box.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * @param {Point} at  on the screen
   * @param {PortRef | null} from  the port whose link is to be continued
   * @param {(spec: NodeSpec) => void} pick
   * @param {string} title  of the node that another kind is looked for
   * @param {PortRef | null} into  the other end, when the node is to come in between
   */
  open(at, from, pick, title = "", into = null) {
    this.#from = from;
    this.#into = into;
    this.#pick = pick;
    this.#box.value = "";
    this.#scope.toggleAttribute("hidden", from === null && title === "");
    setText(this.#scope, from ? t("search.for", { type: from.type }) : t("search.swap", { title }));
    const offered = this.#offered();
    this.#index = new NodeIndex(offered, []);
    void import("../core/words.js").then(({ WORDS }) => {
      this.#index = new NodeIndex(offered, WORDS);
      if (this.#box.value !== "") this.#search();
    });
    this.element.showModal();
    this.#search();
    placeAt(this.element, at);
    this.#box.focus();
  }

  /** Every kind of node that may be added, and would take the link. @returns {NodeSpec[]} */
  #offered() {
    const { catalogue, document } = this.#editor;
    const components = usableIn(document).map((name) => catalogue.specOfComponent(document, name));
    const ends = [this.#from, this.#into].filter((end) => end !== null);
    return [...catalogue.specs.values(), ...components].filter((spec) => ends.every((end) => matchingPort(spec, end) !== null));
  }

  #search() {
    this.#found = this.#index.find(this.#box.value, recent()).slice(0, SHOWN);
    this.#chosen = 0;
    const none = this.#from ? t("search.noneFor", { type: this.#from.type }) : t("search.none");
    this.#list.replaceChildren(
      ...(this.#found.length === 0 ? [h("div", { class: "search-none" }, none)] : this.#found.map((spec, index) => this.#option(spec, index))),
    );
    this.#mark();
  }

  /** @param {NodeSpec} spec @param {number} index */
  #option(spec, index) {
    const port = this.#from ? matchingPort(spec, this.#from) : null;
    const types = spec.outputs.map((output) => {
      const dot = h("i", { class: "type-dot", title: output.type });
      const { dark, light } = colourOf(output.type);
      dot.style.setProperty("--port", `light-dark(${light}, ${dark})`);
      return dot;
    });
    const option = h(
      "div",
      { role: "option", id: `search-${index}`, class: "search-option", title: helpOf(spec) },
      h("span", { class: "search-title" }, spec.title),
      h("span", { class: "search-types" }, ...types),
      h("span", { class: "search-category" }, port ? `${categoryLabel(spec.category)} · ${portLabel(port)}` : categoryLabel(spec.category)),
    );
    option.addEventListener("pointermove", () => {
      this.#chosen = index;
      this.#mark();
    });
    option.addEventListener("click", () => this.#take(spec));
    return option;
  }

  #mark() {
    for (const [index, option] of [...this.#list.children].entries()) {
      if (option.getAttribute("role") === "option") option.setAttribute("aria-selected", String(index === this.#chosen));
    }
    this.#box.setAttribute("aria-activedescendant", this.#found.length > 0 ? `search-${this.#chosen}` : "");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && this.#found.length > 0) {
      event.preventDefault();
      this.#chosen = (this.#chosen + step + this.#found.length) % this.#found.length;
      this.#mark();
      this.#list.children[this.#chosen].scrollIntoView({ block: "nearest" });
    } else if ((event.key === "Enter" || event.key === "Tab") && this.#found.length > 0) {
      event.preventDefault();
      this.#take(this.#found[this.#chosen]);
    }
  }

  /** @param {NodeSpec} spec */
  #take(spec) {
    this.element.close();
    if (!isComponent(spec.id)) localStorage.setItem(RECENT, JSON.stringify([spec.id, ...recent().filter((id) => id !== spec.id)].slice(0, RECENT_MOST)));
    this.#pick(spec);
  }
}

/** Kinds of node added lately, the latest first. @returns {string[]} */
function recent() {
  try {
    const kept = JSON.parse(localStorage.getItem(RECENT) ?? "null");
    return Array.isArray(kept) ? kept.map(String) : USUAL;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return [];
  }
}
