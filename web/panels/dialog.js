/** A dialog: Escape or a press beside it closes it, and focus returns where it was. */

import { ApiError } from "../api.js";
import { t } from "../core/strings.js";
import { button, h } from "../dom.js";
import { learnAll } from "../language.js";

await learnAll();

const CONTROLS = "input:not([hidden]), select, textarea, .dialog-foot button";

/**
 * The first control of what it holds has the focus. An ellipsis at the end of the title, as commands have it, is left out.
 * @param {string} title
 * @param {string} kind  a further class, or ""
 * @param {...(Node | null)} content
 */
export function openDialog(title, kind, ...content) {
  const name = title.replace(/…$/, "");
  const close = button({ label: t("open.close"), icon: "close", class: "button" }, () => dialog.close());
  const head = h("div", { class: "dialog-head" }, h("h2", {}, name), close);
  const dialog = h("dialog", { class: `dialog ${kind}`.trim(), closedby: "any", "aria-label": name }, head, ...content);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  /** @type {HTMLElement | null} */ (dialog.querySelector(`.dialog-head ~ :is(${CONTROLS}), .dialog-head ~ * :is(${CONTROLS})`))?.focus();
  return dialog;
}

/**
 * A question with some answers as buttons.
 * @param {string} title
 * @param {string} text
 * @param {readonly {text: string, class?: string, run: () => void}[]} answers
 */
export function ask(title, text, answers) {
  const foot = h("div", { class: "dialog-foot" });
  const dialog = openDialog(title, "", h("p", {}, text), foot);
  for (const answer of answers) {
    foot.append(
      button({ label: answer.text, text: answer.text, class: `button ${answer.class ?? "wide"}` }, () => {
        dialog.close();
        answer.run();
      }),
    );
  }
  /** @type {HTMLElement | null} */ (foot.querySelector("button"))?.focus();
  return dialog;
}

/**
 * Ask for a text, until it is taken: why it was refused is said at the field, which keeps what was typed.
 * @param {{title: string, label: string, value: string, confirm: string, hint?: string}} look
 * @param {(text: string) => unknown} take
 *   gets what was typed, without spaces around it, never ""; a promise of false asks again, one that fails by an ApiError says why
 * @returns {Promise<void>} until the dialog is closed
 */
export function askText({ title, label, value, confirm, hint }, take) {
  const why = h("p", { class: "refusal", id: "refusal", role: "alert" });
  const box = h("input", { class: "field", "aria-label": label, "aria-describedby": why.id, value, required: true, maxlength: 200 });
  const go = h("button", { type: "submit", class: "button primary" }, confirm);
  const form = h("form", { method: "dialog" }, h("label", { class: "stack" }, label, box), why, hint ? h("p", { class: "quiet" }, hint) : null, h("div", { class: "dialog-foot" }, go));
  const dialog = openDialog(title, "", form);
  const refuse = (/** @type {string} */ text) => {
    why.textContent = text;
    box.setAttribute("aria-invalid", String(text !== ""));
  };
  box.addEventListener("input", () => refuse(""));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (text === "" || go.disabled) return;
    refuse("");
    go.disabled = true;
    try {
      if ((await take(text)) !== false) dialog.close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      refuse(error.message);
      box.focus();
    } finally {
      go.disabled = false;
    }
  });
  box.select();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(undefined)));
}
