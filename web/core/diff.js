/** What differs between two workflows, in words: nodes added and removed, inputs that changed, also within components, and parameters. */

import { isLink, own } from "./document.js";
import { portLabel } from "./naming.js";
import { t } from "./strings.js";

/** @import {NodeData, NodeSpec} from "./types.js" */
/** @typedef {{nodes: Readonly<Record<string, NodeData>>, components?: Readonly<Record<string, Sheet>>, interface?: unknown}} Sheet */
/** @typedef {{kind: "added" | "removed" | "changed", id: string, input: string | null, text: string}} Difference */

/**
 * Nodes are the same by id and type; where ids were given anew, by type and what they are. Where nodes lie does not count.
 * @param {Sheet} before
 * @param {Sheet} after
 * @param {(type: string) => NodeSpec | undefined} spec
 * @returns {Difference[]}
 */
export function differences(before, after, spec) {
  const [was, is] = [before.components ?? {}, after.components ?? {}];
  const inner = Object.keys(is).filter((name) => own(was, name) !== undefined);
  return [
    ...sheetDifferences(before, after, spec),
    ...inner.flatMap((name) => sheetDifferences(was[name], is[name], spec).map((each) => ({ ...each, text: t("diff.within", { change: each.text, name }) }))),
    ...(JSON.stringify(before.interface ?? []) === JSON.stringify(after.interface ?? []) ? [] : [{ kind: /** @type {const} */ ("changed"), id: "", input: null, text: t("diff.parameters") }]),
  ];
}

/** @param {Sheet} before @param {Sheet} after @param {(type: string) => NodeSpec | undefined} spec @returns {Difference[]} */
function sheetDifferences(before, after, spec) {
  const pairs = paired(before, after);
  const back = new Map([...pairs].map(([a, b]) => [b, a]));
  /** @type {Difference[]} */
  const found = [];
  const titleOf = (/** @type {NodeData} */ node) => node.title ?? spec(node.type)?.title ?? node.type;
  for (const [id, node] of Object.entries(after.nodes)) {
    const old = back.get(id);
    if (old === undefined) found.push({ kind: "added", id, input: null, text: t("diff.added", { title: titleOf(node) }) });
    else {
      for (const [input, text] of changes(before.nodes[old], node, pairs, { before, after, titleOf })) {
        found.push({ kind: "changed", id, input, text: t("diff.on", { change: text, title: titleOf(node) }) });
      }
    }
  }
  for (const [id, node] of Object.entries(before.nodes)) {
    if (!pairs.has(id)) found.push({ kind: "removed", id, input: null, text: t("diff.removed", { title: titleOf(node) }) });
  }
  return found;
}

/** @param {Sheet} before @param {Sheet} after @returns {Map<string, string>} ids of the same node */
function paired(before, after) {
  /** @type {Map<string, string>} */
  const pairs = new Map();
  for (const [id, node] of Object.entries(before.nodes)) if (own(after.nodes, id) && after.nodes[id].type === node.type) pairs.set(id, id);
  const free = new Set(Object.keys(after.nodes).filter((id) => !pairs.has(id)));
  for (const [id, node] of Object.entries(before.nodes)) {
    if (pairs.has(id)) continue;
    const twins = [...free].filter((other) => after.nodes[other].type === node.type);
    const twin = twins.find((other) => after.nodes[other].title === node.title) ?? twins[0];
    if (twin === undefined) continue;
    pairs.set(id, twin);
    free.delete(twin);
  }
  return pairs;
}

/** @param {NodeData} old @param {NodeData} node @param {ReadonlyMap<string, string>} pairs @param {{before: Sheet, after: Sheet, titleOf: (node: NodeData) => string}} look @returns {[string, string][]} */
function changes(old, node, pairs, { before, after, titleOf }) {
  /** @type {[string, string][]} */
  const found = [];
  const names = new Set([...Object.keys(old.inputs), ...Object.keys(node.inputs)]);
  for (const name of names) {
    const [was, is] = [own(old.inputs, name), own(node.inputs, name)];
    if (isSame(was, is, pairs)) continue;
    const said = (/** @type {unknown} */ value, /** @type {Sheet} */ sheet) => {
      if (!isLink(value)) return shown(value);
      const source = /** @type {NodeData | undefined} */ (own(sheet.nodes, value.node));
      return t("diff.link", { title: source ? titleOf(source) : value.node });
    };
    found.push([name, t("diff.changed", { input: portLabel(name), before: said(was, before), after: said(is, after) })]);
  }
  if (old.mode !== node.mode) found.push(["mode", t("diff.changed", { input: t("diff.mode"), before: shown(old.mode), after: shown(node.mode) })]);
  return found;
}

/** @param {unknown} a @param {unknown} b @param {ReadonlyMap<string, string>} pairs @returns {boolean} */
function isSame(a, b, pairs) {
  if (isLink(a) && isLink(b)) return pairs.get(a.node) === b.node && a.output === b.output;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, i) => isSame(each, b[i], pairs));
  return Object.is(a, b) || JSON.stringify(a) === JSON.stringify(b);
}

/** @param {unknown} value */
function shown(value) {
  if (value === undefined) return t("diff.nothing");
  const text = typeof value === "string" ? `“${value}”` : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 78)}…` : text;
}
