/** The sheet of shortcuts. */

import { keyLabel } from "../actions/keys.js";
import { t } from "../core/strings.js";
import { h } from "../dom.js";
import { openDialog } from "./dialog.js";

/** @import {Parts} from "../actions/action.js" */

/** @param {Parts} parts */
export function openShortcuts({ actions }) {
  const rows = [...actions.values()]
    .filter((action) => action.keys.length > 0 && !action.hidden)
    .map((action) => h("tr", {}, h("td", {}, t(action.title)), h("td", {}, ...action.keys.map((keys) => h("kbd", {}, keyLabel(keys))))));
  const hints = /** @type {const} */ (["shortcuts.pan", "shortcuts.zoom", "shortcuts.box", "shortcuts.link"]);
  openDialog(t("shortcuts.title"), "", h("table", { class: "shortcuts" }, h("tbody", {}, ...rows)), h("ul", {}, ...hints.map((key) => h("li", {}, t(key)))));
}
