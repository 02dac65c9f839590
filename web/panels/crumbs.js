/** Where the sheet on the table is: the workflow, and the components gone into. Absent on the workflow's own. */

import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { h } from "../dom.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {View} from "../canvas/view.js" */

/** @param {Editor} editor @param {View} view */
export function crumbs(editor, view) {
  const element = h("nav", { class: "crumbs", "aria-label": t("component.crumbs"), hidden: true });
  element.addEventListener("dblclick", (event) => event.stopPropagation());
  effect(() => {
    const names = [t("component.root"), ...editor.path.value.map((step) => step.component)];
    element.toggleAttribute("hidden", names.length === 1);
    element.replaceChildren(...names.map((name, depth) => {
      const here = depth === names.length - 1;
      const crumb = h("button", { type: "button", class: "crumb", "aria-current": here ? "page" : null }, name);
      crumb.addEventListener("click", () => {
        editor.leave(depth);
        view.fit();
      });
      return crumb;
    }));
  });
  return element;
}
