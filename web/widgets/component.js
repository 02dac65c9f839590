/** A component of the workflow as the body of a loop. */

import { h } from "../dom.js";
import { t } from "../core/strings.js";

/** @import {Control, Field} from "./index.js" */

/** @param {Field} field @returns {Control} */
export function componentControl(field) {
  const box = h("select", { class: "field choice", "aria-label": field.label });
  let shown = "";
  const show = (/** @type {unknown} */ value) => {
    const chosen = /** @type {{component?: unknown} | undefined} */ (value)?.component;
    const name = typeof chosen === "string" ? chosen : "";
    const names = field.options().map(String);
    const now = JSON.stringify([name, names]);
    if (now === shown) return;
    shown = now;
    const known = names.includes(name);
    const missing = known || name === "" ? [] : [h("option", { value: name }, t("widget.missing", { name }))];
    box.replaceChildren(h("option", { value: "" }, t("widget.noComponent")), ...missing, ...names.map((each) => h("option", { value: each }, each)));
    box.value = name;
    box.setAttribute("aria-invalid", String(!known));
  };
  box.addEventListener("change", () => field.set(box.value === "" ? undefined : { component: box.value }, true));
  box.addEventListener("pointerdown", () => show(field.value()));
  return { element: h("div", { class: "control", "data-input": field.input.name }, box), show };
}
