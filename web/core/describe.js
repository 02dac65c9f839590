/** What a step of history did, in words, read off its patch. */

import { isComponent } from "./components.js";
import { linksOf } from "./level.js";
import { t } from "./strings.js";

/** @import {Catalogue} from "./catalogue.js" */
/** @import {Patch, Write} from "./document.js" */
/** @import {NodeData} from "./types.js" */

/**
 * @param {Patch} patch
 * @param {Catalogue} catalogue
 * @returns {string}
 */
export function describe(patch, catalogue) {
  const writes = [...patch.values()].filter(({ before, after }) => before !== after);
  const titleOf = (/** @type {any} */ node) => /** @type {string} */ (node.title ?? catalogue.specs.get(node.type)?.title ?? node.type.replace(/^component:/, ""));
  const nodes = writes.filter(({ table }) => table === "nodes");
  const components = writes.filter(({ table }) => table === "components");
  const added = nodes.filter(({ before }) => before === undefined);
  const removed = nodes.filter(({ after }) => after === undefined);
  const changed = nodes.filter(({ before, after }) => before !== undefined && after !== undefined);
  if (components.some(({ before }) => before === undefined) && removed.length > 0) return t("step.component", { name: components[0].id });
  if (components.length > 0 && nodes.length === 0) return t("step.ports", { name: components[0].id });
  if (removed.some(({ before }) => isComponent(/** @type {NodeData} */ (before).type)) && added.length > 1) return t("step.unpack", { title: titleOf(removed[0].before) });
  if (added.length === 1 && removed.length === 0) return t("step.added", { title: titleOf(added[0].after) });
  if (added.length > 1 && removed.length === 0) return t("step.addedMany", { count: added.length });
  if (removed.length === 1 && added.length === 0) return t("step.removed", { title: titleOf(removed[0].before) });
  if (removed.length > 1 && added.length === 0) return t("step.removedMany", { count: removed.length });
  if (changed.length > 0) return describeNodes(changed, titleOf);
  return describeView(writes);
}

/** @param {readonly Write[]} changed @param {(node: any) => string} titleOf */
function describeNodes(changed, titleOf) {
  const writes = /** @type {readonly {before: NodeData, after: NodeData}[]} */ (changed);
  const { before, after } = writes.find((each) => each.before.type !== each.after.type) ?? writes[0];
  const title = titleOf(after);
  if (before.title !== after.title) return t("step.titled", { title: titleOf(before), name: title });
  if (before.type !== after.type) return t("step.swapped", { title });
  if (before.mode !== after.mode) {
    const key = after.mode === "mute" ? "step.muted" : after.mode === "bypass" ? "step.bypassed" : "step.active";
    return t(key, { title, count: changed.length });
  }
  const names = [...new Set([...Object.keys(before.inputs), ...Object.keys(after.inputs)])].filter((name) => before.inputs[name] !== after.inputs[name]);
  const [name] = names;
  if (name === undefined) return t("step.edited", { title });
  const [was, is] = [before.inputs[name], after.inputs[name]];
  if (linksOf(is).length > linksOf(was).length) return t("step.linked", { title, name });
  if (linksOf(was).length > linksOf(is).length) return t("step.unlinked", { title, name });
  if (linksOf(is).length > 0) return t("step.relinked", { title, name });
  return t("step.value", { title, name, was: short(was), is: short(is) });
}

/** @param {readonly Write[]} writes */
function describeView(writes) {
  const frames = writes.filter(({ table }) => table === "frames");
  if (writes.some(({ table }) => table === "interface")) return t("step.interface");
  if (frames.some(({ before }) => before === undefined)) return t("step.framed");
  if (frames.some(({ after }) => after === undefined)) return t("step.unframed");
  const named = frames.find(({ before, after }) => /** @type {any} */ (before).title !== /** @type {any} */ (after).title);
  if (named) return t("step.titled", { title: /** @type {any} */ (named.before).title, name: /** @type {any} */ (named.after).title });
  const places = writes.filter(({ table }) => table === "places");
  const moved = places.filter(({ before, after }) => {
    const [a, b] = /** @type {[{x: number, y: number}, {x: number, y: number}]} */ ([before, after]);
    return a && b && (a.x !== b.x || a.y !== b.y);
  });
  if (moved.length > 0) return t("step.moved", { count: moved.length });
  const resized = [...places, ...frames].filter(({ before, after }) => {
    const [a, b] = /** @type {[{w?: number, h?: number}, {w?: number, h?: number}]} */ ([before, after]);
    return a && b && (a.w !== b.w || a.h !== b.h);
  });
  if (resized.length > 0) return t("step.resized", { count: resized.length });
  return t("step.look");
}

/** @param {unknown} value */
function short(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}
