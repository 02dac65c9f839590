/** What a box for prompts can do: Ctrl and arrows weigh words, names of learned words and LoRAs are completed, tokens are counted. */

import { ApiError } from "../api.js";
import { button, h, placeAt, setText } from "../dom.js";
import { nameAt, reweighed } from "../core/prompt.js";
import { t } from "../core/strings.js";
import { openList } from "./popup.js";

/** @import {Field} from "./index.js" */

const COUNT_MS = 250;
const SHOWN = 12;

/** @param {HTMLTextAreaElement} box @param {HTMLElement} element @param {Field} field */
export function promptKeys(box, element, field) {
  const complete = completion(box, field);
  box.addEventListener("keydown", (event) => {
    if (event.isComposing || complete.key(event)) return;
    const direction = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
    if (direction === 0 || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    const { text, start, end } = reweighed({ text: box.value, start: box.selectionStart, end: box.selectionEnd }, direction);
    replace(box, text);
    box.setSelectionRange(start, end);
  });
  box.addEventListener("input", () => complete.update());
  box.addEventListener("blur", () => complete.close());
  counter(box, element, field);
}

/** Change a text as typing would, so that the box can undo it. @param {HTMLTextAreaElement} box @param {string} text */
function replace(box, text) {
  const before = box.value;
  let start = 0;
  while (start < before.length && before[start] === text[start]) start += 1;
  let end = 0;
  while (end < before.length - start && end < text.length - start && before.at(-1 - end) === text.at(-1 - end)) end += 1;
  box.setSelectionRange(start, before.length - end);
  const inserted = text.slice(start, text.length - end);
  // The one way that leaves the box its own undo; nothing else does.
  if (inserted === "") document.execCommand("delete");
  else document.execCommand("insertText", false, inserted);
}

/** @param {HTMLTextAreaElement} box @param {Field} field */
function completion(box, field) {
  /** @type {ReturnType<typeof openList> | null} */
  let list = null;
  const close = () => {
    list?.close();
    list = null;
  };
  const plain = (/** @type {string} */ name) => name.replace(/\.(safetensors|sft)$/i, "");
  const update = () => {
    const at = nameAt(box.value, box.selectionStart);
    const names = at ? field.names(at.folder).filter((name) => name.toLowerCase().includes(at.typed.toLowerCase())) : [];
    if (!at || names.length === 0) return close();
    const options = () => names.slice(0, SHOWN).map((name) => ({ value: name, label: plain(name), picture: field.pictureOf(name, at.folder) }));
    close();
    list = openList(box, {
      label: t(at.folder === "loras" ? "prompt.loras" : "prompt.embeddings"),
      search: null,
      options,
      none: "",
      choose: (name) => {
        list = null;
        const { value, selectionStart } = box;
        if (at.folder === "embeddings") {
          replace(box, value.slice(0, at.from) + plain(name) + value.slice(selectionStart));
          return box.setSelectionRange(at.from + plain(name).length, at.from + plain(name).length);
        }
        const tag = value.lastIndexOf("<", at.from);
        replace(box, value.slice(0, tag).trimEnd() + value.slice(selectionStart));
        field.addLora(name);
      },
    });
    list.element.classList.add("pictured");
  };
  return { update, close, key: (/** @type {KeyboardEvent} */ event) => list !== null && list.key(event) };
}

/** How many tokens of how many there are, and on a press how the text falls into them. @param {HTMLTextAreaElement} box @param {HTMLElement} element @param {Field} field */
function counter(box, element, field) {
  const count = button({ label: t("tokens.title"), text: "", class: "token-count" }, () => void showTokens(count, field, box.value));
  count.hidden = true;
  let timer = 0;
  const ask = () => {
    clearTimeout(timer);
    timer = window.setTimeout(async () => {
      const asked = box.value;
      const chunks = await field.tokens(asked).catch((error) => {
        if (error instanceof ApiError) return null;
        throw error;
      });
      if (asked !== box.value) return;
      count.hidden = chunks === null;
      if (chunks === null) return;
      const [used, room] = [chunks.reduce((sum, chunk) => sum + chunk.length, 0), 75 * Math.max(1, chunks.length)];
      setText(count, t("tokens.count", { used, room }));
      count.classList.toggle("over", chunks.length > 1);
      count.setAttribute("aria-label", t("tokens.label", { used, room, chunks: Math.max(1, chunks.length) }));
    }, COUNT_MS);
  };
  const enter = () => {
    if (!count.isConnected) element.append(count);
    ask();
  };
  if (box === document.activeElement) enter();
  box.addEventListener("focus", enter);
  box.addEventListener("input", ask);
  const leave = (/** @type {FocusEvent} */ { relatedTarget: to }) => {
    if (to !== box && to !== count && !(to instanceof Element && to.matches(".token-view"))) count.remove();
  };
  box.addEventListener("blur", leave);
  count.addEventListener("blur", leave);
}

/** @param {HTMLElement} anchor @param {Field} field @param {string} text */
async function showTokens(anchor, field, text) {
  const chunks = await field.tokens(text);
  const parts = chunks.map((chunk, index) =>
    h("section", {}, h("h3", {}, t("tokens.chunk", { number: index + 1, used: chunk.length })), h("p", { class: "tokens" }, ...chunk.map(({ text: piece, weight }) => tokenOf(piece, weight)))),
  );
  const element = h("div", { class: "popup token-view", popover: "auto", role: "dialog", tabindex: -1, "aria-label": t("tokens.title") }, ...parts);
  element.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState === "closed") element.remove();
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    element.hidePopover();
  });
  document.body.append(element);
  element.showPopover();
  element.focus();
  const { left, top } = anchor.getBoundingClientRect();
  placeAt(element, { x: left, y: top - element.getBoundingClientRect().height - 4 });
}

/** @param {string} piece @param {number} weight */
function tokenOf(piece, weight) {
  const token = h("span", { class: "token", title: String(weight) }, piece.trimEnd());
  if (weight !== 1) token.append(h("small", {}, String(weight)));
  return token;
}
