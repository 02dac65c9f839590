/** One of a list: a closed set, or the files of a models folder. A value that is not on the list stays, and says so. */

import { h } from "../dom.js";
import { t } from "../core/strings.js";

/** @import {Control, Field} from "./index.js" */

/** @param {Field} field @returns {Control} */
export function choiceControl(field) {
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
      ...values.map((each, index) => h("option", { value: index }, index === 0 && !known ? t("widget.missing", { name: String(each) }) : String(each))),
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
