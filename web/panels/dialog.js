/** A dialog: Escape or a press beside it closes it, and focus returns where it was. */

import { t } from "../core/strings.js";
import { button, h } from "../dom.js";

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
}

/**
 * Ask for a text.
 * @param {{title: string, label: string, value: string, confirm: string, hint?: string}} look
 * @param {(text: string) => void} take  what was typed, without spaces around it; never ""
 */
export function askText({ title, label, value, confirm, hint }, take) {
  const box = h("input", { class: "field", "aria-label": label, value, required: true, maxlength: 200 });
  const go = h("button", { type: "submit", class: "button primary" }, confirm);
  const form = h("form", { method: "dialog" }, h("label", { class: "stack" }, label, box), hint ? h("p", { class: "quiet" }, hint) : null, h("div", { class: "dialog-foot" }, go));
  const dialog = openDialog(title, "", form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (text === "") return;
    dialog.close();
    take(text);
  });
  box.select();
}
