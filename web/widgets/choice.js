/** One of a list: a closed set, or the files of a models folder. Long lists are searched. A value that is not on the list stays, and says so. */

import { optionLabel } from "../core/naming.js";
import { h, setText } from "../dom.js";
import { t } from "../core/strings.js";
import { LIST, openList } from "./popup.js";

/** @import {Control, Field} from "./index.js" */

/** Up to so many the browser's own list is quicker. */
const FEW = 8;

/** @param {Field} field @returns {Control} */
export const choiceControl = (field) => (field.input.widget?.folder !== undefined || field.options().length > FEW ? longChoice(field) : shortChoice(field));

/** @param {Field} field @returns {Control} */
function longChoice(field) {
  const text = h("span");
  const box = h("button", { type: "button", class: "field choice long", role: "combobox", "aria-label": field.label, "aria-haspopup": "listbox", "aria-expanded": "false", "aria-controls": LIST }, text);
  const folder = field.input.widget?.folder;
  const open = (/** @type {string} */ typed) => {
    if (box.getAttribute("aria-expanded") === "true") return;
    const { element, fill } = openList(box, {
      label: field.label,
      search: t("widget.search", { label: field.label }),
      options: (words) => matching(field.options(), words).map((each) => ({ value: each, label: optionLabel(each), selected: each === field.value(), ...(folder ? { picture: field.pictureOf(String(each)) } : {}) })),
      choose: (value) => field.set(value, true),
      none: t("widget.none"),
    });
    element.classList.toggle("pictured", folder !== undefined);
    box.setAttribute("aria-expanded", "true");
    element.addEventListener("toggle", () => box.setAttribute("aria-expanded", String(element.matches(":popover-open"))));
    const search = element.querySelector("input");
    if (search && typed !== "") {
      search.value = typed;
      fill(typed);
    }
  };
  box.addEventListener("click", () => open(""));
  box.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const options = field.options();
      const at = options.findIndex((each) => each === field.value()) + step;
      if (at >= 0 && at < options.length) field.set(options[at], true);
    } else if (event.key.length === 1 && event.key !== " ") {
      event.preventDefault();
      open(event.key);
    }
  });
  /** @param {unknown} value */
  const show = (value) => {
    const known = field.options().some((option) => option === value);
    setText(text, value === undefined ? t("widget.none") : known ? optionLabel(/** @type {string} */ (value)) : t("widget.missing", { name: String(value) }));
    box.classList.toggle("missing", !known);
    box.setAttribute("aria-invalid", String(!known));
    box.title = String(value ?? "");
  };
  return { element: h("div", { class: "control", "data-input": field.input.name }, box), show };
}

/** What an option is found by: its name and what the page calls it. @param {string | number} option */
const searched = (option) => `${option} ${optionLabel(option)}`.toLowerCase();

/** Options that have all words, those that begin with them first. @template {string | number} T @param {readonly T[]} options @param {string} typed @returns {readonly T[]} */
function matching(options, typed) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const found = options.filter((option) => words.every((word) => searched(option).includes(word)));
  const begins = (/** @type {T} */ option) => (words.length > 0 && searched(option).startsWith(words[0]) ? 0 : 1);
  return words.length === 0 ? found : found.toSorted((a, b) => begins(a) - begins(b));
}

/** @param {Field} field @returns {Control} */
function shortChoice(field) {
  const box = h("select", { class: "field choice", "aria-label": field.label });
  /** @type {readonly (string | number)[]} */
  let values = [];
  /** @type {readonly (string | number)[]} */
  let offered = [];
  /** @type {unknown} */
  let shown = box;

  /** @param {unknown} value */
  const show = (value) => {
    const options = field.options();
    if (options === offered && value === shown) return;
    [offered, shown] = [options, value];
    const known = options.some((option) => option === value);
    values = known || value === undefined ? options : [/** @type {string} */ (value), ...options];
    box.replaceChildren(
      ...values.map((each, index) => h("option", { value: index }, index === 0 && !known ? t("widget.missing", { name: String(each) }) : optionLabel(each))),
    );
    if (values.length === 0) box.append(h("option", {}, t("widget.none")));
    box.selectedIndex = Math.max(0, values.findIndex((each) => each === value));
    box.classList.toggle("missing", !known);
    box.setAttribute("aria-invalid", String(!known));
    box.title = String(value ?? "");
  };
  box.addEventListener("change", () => field.set(values[box.selectedIndex], true));
  return { element: h("div", { class: "control", "data-input": field.input.name }, box), show };
}
