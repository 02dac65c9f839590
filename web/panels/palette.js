/** The command palette: every command by name, with its keys. */

import { keyLabel } from "../actions/keys.js";
import { t } from "../core/strings.js";
import { pickOne } from "./pick.js";

/** @import {Parts} from "../actions/action.js" */

/** @param {Parts} parts */
export function openPalette({ actions }) {
  const items = [...actions.values()]
    .filter((action) => !action.hidden && action.id !== "palette")
    .map((action) => ({ text: t(action.title), note: action.keys.map(keyLabel).join(", "), words: action.id, enabled: action.enabled(), run: action.run }));
  pickOne(t("action.palette"), t("palette.find"), items);
}
