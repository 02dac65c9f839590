/** A conflict of two edits in words. */

import { isLink, isRecord } from "./level.js";
import { at } from "./merge.js";
import { portLabel } from "./naming.js";
import { t } from "./strings.js";

/** @import {Conflict, Json} from "./merge.js" */

/**
 * @param {Conflict} conflict
 * @param {Json} merged  where titles are looked up
 * @param {(type: string) => string} titleOf  of a kind of node
 * @returns {{where: string, mine: string, theirs: string}}
 */
export function sayConflict({ path, mine, theirs }, merged, titleOf) {
  const nodes = path.indexOf("nodes");
  const id = nodes >= 0 ? path[nodes + 1] : undefined;
  const rest = path.slice(nodes + 2).filter((key) => key !== "inputs");
  const sheet = path[0] === "view" ? [] : path.slice(0, Math.max(0, nodes));
  const node = id === undefined ? undefined : (at(merged, [...sheet, "nodes", id]) ?? mine ?? theirs);
  const title = isRecord(node) ? String(node.title ?? titleOf(String(node.type))) : id;
  const what = path[0] === "view" ? [t("conflict.place")] : rest.map(portLabel);
  const where = [title, ...(title === undefined ? path : what)].filter((each) => each !== undefined).join(" · ");
  const say = (/** @type {unknown} */ value) => valueText(value, (source) => sourceTitle(merged, sheet, source, titleOf));
  return { where, mine: say(mine), theirs: say(theirs) };
}

/** @param {Json} merged @param {readonly string[]} sheet @param {string} id @param {(type: string) => string} titleOf */
function sourceTitle(merged, sheet, id, titleOf) {
  const node = at(merged, [...sheet, "nodes", id]);
  return isRecord(node) ? String(node.title ?? titleOf(String(node.type))) : id;
}

/** @param {unknown} value @param {(id: string) => string} titleOf */
function valueText(value, titleOf) {
  if (value === undefined) return t("conflict.gone");
  if (isLink(value)) return t("conflict.link", { title: titleOf(value.node) });
  if (isRecord(value) && "type" in value) return t("conflict.kept");
  return typeof value === "string" ? value : JSON.stringify(value);
}
