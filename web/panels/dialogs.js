/** Dialogs: open, save, the conflict of two savers, and the sheet of shortcuts. Escape closes each, focus returns where it was. */

import * as api from "../api.js";
import { keyLabel } from "../actions/keys.js";
import { button, h } from "../dom.js";
import { t, templateTitle } from "../core/strings.js";

/** @import {Action} from "../actions/action.js" */
/** @import {Workspace} from "../workspace.js" */

export class Dialogs {
  /** @type {ReadonlyMap<string, Action>} */
  actions = new Map();
  #workspace;

  /** @param {Workspace} workspace */
  constructor(workspace) {
    this.#workspace = workspace;
  }

  async open() {
    const chooser = h("input", { type: "file", accept: ".json,.png,application/json,image/png", hidden: true });
    const saved = h("div", { class: "choices" });
    const templates = h("div", { class: "choices" });
    const dialog = this.#dialog(
      t("open.title"),
      h("h3", {}, t("open.saved")),
      saved,
      h("h3", {}, t("open.templates")),
      templates,
      h("div", { class: "dialog-foot" }, button({ label: t("open.file"), text: t("open.file"), icon: "file", class: "button wide" }, () => chooser.click()), chooser),
    );
    chooser.addEventListener("change", () => {
      const [file] = chooser.files ?? [];
      dialog.close();
      if (file) void this.#workspace.openFile(file);
    });
    const choice = (/** @type {string} */ title, /** @type {string} */ note, /** @type {() => Promise<void>} */ take) => {
      const item = h("button", { type: "button", class: "choice-item" }, h("span", {}, title), h("small", {}, note));
      item.addEventListener("click", () => {
        dialog.close();
        void take();
      });
      return item;
    };
    try {
      const [mine, given] = await Promise.all([api.workflows(), api.templates()]);
      const when = (/** @type {number} */ seconds) => new Date(seconds * 1000).toLocaleString();
      saved.replaceChildren(...mine.map((each) => choice(each.name, when(each.modified), () => this.#workspace.openSaved(each.name))));
      if (mine.length === 0) saved.append(h("p", { class: "quiet" }, t("open.none")));
      templates.replaceChildren(...given.map((name) => choice(templateTitle(name), "", () => this.#workspace.openTemplate(name))));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      saved.replaceChildren(h("p", { class: "quiet" }, error.message));
    }
  }

  /** Save under the name it has; ask for one when it has none. */
  async save() {
    const name = this.#workspace.name.peek();
    if (name === "") return this.saveAs();
    await this.#saveAs(name);
  }

  saveAs() {
    const box = h("input", { class: "field", "aria-label": t("save.name"), value: this.#workspace.name.peek(), required: true, maxlength: 100 });
    const confirm = h("button", { type: "submit", class: "button primary" }, t("save.confirm"));
    const form = h("form", { method: "dialog" }, h("label", { class: "stack" }, t("save.name"), box), h("div", { class: "dialog-foot" }, confirm));
    const dialog = this.#dialog(t("save.title"), form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = box.value.trim();
      if (name === "") return;
      dialog.close();
      void this.#saveAs(name);
    });
    box.select();
  }

  /** @param {string} name */
  async #saveAs(name) {
    const result = await this.#workspace.save(name);
    if (result === "conflict" || result === "taken") this.#conflict(name, t(`app.${result}`, { name }));
  }

  /** @param {string} name @param {string} why */
  #conflict(name, why) {
    const dialog = this.#dialog(
      t("save.title"),
      h("p", {}, why),
      h(
        "div",
        { class: "dialog-foot" },
        button({ label: t("save.copy"), text: t("save.copy"), class: "button" }, () => {
          dialog.close();
          this.saveAs();
        }),
        button({ label: t("save.overwrite"), text: t("save.overwrite"), class: "button danger" }, () => {
          dialog.close();
          void this.#workspace.save(name, true);
        }),
      ),
    );
  }

  shortcuts() {
    const rows = [...this.actions.values()]
      .filter((action) => action.keys.length > 0 && !action.hidden)
      .map((action) => h("tr", {}, h("td", {}, t(action.title)), h("td", {}, ...action.keys.map((keys) => h("kbd", {}, keyLabel(keys))))));
    const hints = /** @type {const} */ (["shortcuts.pan", "shortcuts.zoom", "shortcuts.box", "shortcuts.link"]);
    this.#dialog(t("shortcuts.title"), h("table", { class: "shortcuts" }, h("tbody", {}, ...rows)), h("ul", {}, ...hints.map((key) => h("li", {}, t(key)))));
  }

  /** @param {string} title @param {...Node} content */
  #dialog(title, ...content) {
    const close = button({ label: t("open.close"), icon: "close", class: "button" }, () => dialog.close());
    const dialog = h("dialog", { class: "dialog", closedby: "any", "aria-label": title }, h("div", { class: "dialog-head" }, h("h2", {}, title), close), ...content);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    /** @type {HTMLElement | null} */ (dialog.querySelector(".dialog-head ~ * input:not([hidden]), .dialog-foot button"))?.focus();
    return dialog;
  }
}
