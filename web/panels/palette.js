/** The command palette: every command by name, with its keys. */

import { keyLabel } from "../actions/keys.js";
import { t } from "../core/strings.js";
import { learnAll } from "../language.js";
import { pickOne } from "./pick.js";

/** @import {Parts} from "../actions/action.js" */

/** @param {Parts} parts */
export async function openPalette({ actions }) {
  await learnAll();
  const items = [...actions.values()]
    .filter((action) => !action.hidden && action.id !== "palette")
    .map((action) => ({ text: t(action.title), note: action.keys.map(keyLabel).join(", "), words: action.id, enabled: action.enabled(), run: action.run }));
  pickOne(t("action.palette"), t("palette.find"), items);
}
