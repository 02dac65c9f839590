/**
 * Every command of the page. Menus, buttons, keys and the palette are made from this. A group of commands is a file here:
 * a function of the page's parts that gives its Actions.
 */

import { panelActions } from "../panels/index.js";
import { appActions } from "./app.js";
import { editActions } from "./edit.js";
import { fileActions } from "./file.js";
import { withChosenKeys } from "./keys.js";
import { linkActions } from "./links.js";
import { runActions } from "./run.js";
import { structureActions } from "./structure.js";
import { viewActions } from "./view.js";

/** @import {Action, ActionGroup, Parts} from "./action.js" */

/** @type {Readonly<Record<string, ActionGroup>>} */
const GROUPS = { run: runActions, file: fileActions, edit: editActions, links: linkActions, structure: structureActions, view: viewActions, app: appActions, panel: panelActions };

/** All actions by id, group by group. @param {Parts} parts @returns {ReadonlyMap<string, Action>} */
export const createActions = (parts) =>
  new Map(Object.values(GROUPS).flatMap((group) => group(parts).map((action) => [action.id, withChosenKeys(action, parts.settings)])));
