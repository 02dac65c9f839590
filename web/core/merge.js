/**
 * Brings together two workflows that were both begun from a third: what only one of them changed is taken; where both
 * changed the same thing to something different, the first is taken and the conflict is told. Numbers of nodes that both
 * added are given anew to the second's.
 */

import { isLink, isRecord, linksOf, own, withField } from "./level.js";
import { sound } from "./sound.js";

/**
 * @typedef {Record<string, unknown>} Json
 * @typedef {{path: readonly string[], base: unknown, mine: unknown, theirs: unknown}} Conflict
 *   the keys that lead there; undefined: not there
 */

/**
 * @param {Json} base
 * @param {Json} mine
 * @param {Json} theirs
 * @returns {{merged: Json, conflicts: Conflict[]}}
 */
export function merge(base, mine, theirs) {
  const other = renumbered(base, mine, theirs);
  /** @type {Conflict[]} */
  const conflicts = [];
  let merged = /** @type {Json} */ (mergeValues(base, mine, other, [], conflicts));
  for (const path of sheets(merged)) merged = keepWhatIsRead(merged, path, { base, mine, theirs: other }, conflicts);
  return { merged: sound(merged, [mine, other]), conflicts };
}

/** What two workflows have in common, for when it is not known what they were begun from: all they do not share is a conflict, or added. @param {Json} mine @param {Json} theirs @returns {Json} */
export function common(mine, theirs) {
  const shared = Object.keys(mine).flatMap((key) => {
    const [a, b] = [mine[key], own(theirs, key)];
    if (same(a, b)) return [[key, a]];
    return isRecord(a) && isRecord(b) && !isLink(a) && !isLink(b) ? [[key, common(a, b)]] : [];
  });
  return Object.fromEntries(shared);
}

/** The workflow with the second's side of some conflicts. @param {Json} merged @param {readonly Conflict[]} taken */
export const takeTheirs = (merged, taken) => sound(taken.reduce((json, { path, theirs }) => /** @type {Json} */ (withPath(json, path, theirs)), merged), [merged]);

/** Whether two JSON values say the same; the order of keys does not count. @param {unknown} a @param {unknown} b @returns {boolean} */
export function same(a, b) {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, index) => same(each, b[index]));
  if (!isRecord(a) || !isRecord(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

/** @param {unknown} base @param {unknown} mine @param {unknown} theirs @param {readonly string[]} path @param {Conflict[]} conflicts @returns {unknown} */
function mergeValues(base, mine, theirs, path, conflicts) {
  if (same(mine, theirs) || same(base, theirs)) return mine;
  if (same(base, mine)) return theirs;
  const parts = [base, mine, theirs];
  const open = parts.slice(1).every((part) => isRecord(part) && !isLink(part)) && (base === undefined || (isRecord(base) && !isLink(base)));
  if (!open) {
    conflicts.push({ path, base, mine, theirs });
    return mine;
  }
  const [before, here, there] = parts.map((part) => /** @type {Json} */ (part ?? {}));
  const keys = new Set([...Object.keys(here), ...Object.keys(there)]);
  const entries = [...keys].map((key) => [key, mergeValues(own(before, key), own(here, key), own(there, key), [...path, key], conflicts)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** Where there are nodes: the paths of the sheets. @param {Json} json @returns {string[][]} */
const sheets = (json) => [[], ...Object.keys(isRecord(json.components) ? json.components : {}).map((name) => ["components", name])];

/** @param {unknown} json @param {readonly string[]} path @returns {unknown} */
export const at = (json, path) => path.reduce((/** @type {unknown} */ value, key) => (isRecord(value) ? own(value, key) : undefined), json);

/** @param {unknown} json @param {readonly string[]} path @param {unknown} value @returns {unknown} */
function withPath(json, path, value) {
  if (path.length === 0) return value;
  const record = isRecord(json) ? json : {};
  return withField(record, path[0], withPath(own(record, path[0]), path.slice(1), value));
}

/** @param {unknown} sheet @param {string} field @returns {Json} */
const tableOf = (sheet, field) => /** @type {Json} */ (isRecord(sheet) && isRecord(sheet[field]) ? sheet[field] : {});

/** `theirs` with other ids for the nodes that both added under the same id but not the same. @param {Json} base @param {Json} mine @param {Json} theirs */
function renumbered(base, mine, theirs) {
  let result = theirs;
  for (const path of sheets(theirs)) {
    const [before, here, there] = [base, mine, theirs].map((json) => tableOf(at(json, path), "nodes"));
    const taken = new Set([...Object.keys(before), ...Object.keys(here), ...Object.keys(there)]);
    const numbers = [...taken].map(Number).filter(Number.isSafeInteger);
    let next = Math.max(0, ...numbers) + 1;
    const clash = Object.keys(there).filter((id) => !Object.hasOwn(before, id) && Object.hasOwn(here, id) && !same(here[id], there[id]));
    const renamed = new Map(clash.map((id) => [id, String(next++)]));
    if (renamed.size > 0) result = renumber(result, path, renamed);
  }
  return result;
}

/** @param {Json} json @param {readonly string[]} path @param {ReadonlyMap<string, string>} renamed */
function renumber(json, path, renamed) {
  const name = (/** @type {string} */ id) => renamed.get(id) ?? id;
  /** @param {unknown} value @returns {unknown} */
  const relink = (value) => {
    if (isLink(value)) return { ...value, node: name(value.node) };
    if (Array.isArray(value)) return value.map(relink);
    return isRecord(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, relink(each)])) : value;
  };
  const rekey = (/** @type {Json} */ table) => Object.fromEntries(Object.entries(table).map(([id, value]) => [name(id), value]));
  const sheet = /** @type {Json} */ (at(json, path) ?? {});
  const ports = (/** @type {unknown} */ list) => (Array.isArray(list) ? list.map((port) => (isRecord(port) && typeof port.node === "string" ? { ...port, node: name(port.node) } : port)) : list);
  const view = isRecord(sheet.view) ? { ...sheet.view, nodes: rekey(tableOf(sheet.view, "nodes")) } : sheet.view;
  const lists = ["interface", "inputs", "outputs"].filter((field) => Array.isArray(sheet[field])).map((field) => [field, ports(sheet[field])]);
  const next = { ...sheet, nodes: /** @type {Json} */ (relink(rekey(tableOf(sheet, "nodes")))), ...(view === undefined ? {} : { view }), ...Object.fromEntries(lists) };
  return /** @type {Json} */ (withPath(json, path, next));
}

/** A node that one side took away and the other one reads stays, and is a conflict. @param {Json} merged @param {readonly string[]} path @param {{base: Json, mine: Json, theirs: Json}} sides @param {Conflict[]} conflicts */
function keepWhatIsRead(merged, path, sides, conflicts) {
  const where = [...path, "nodes"];
  const nodes = tableOf(at(merged, path), "nodes");
  let result = merged;
  const openBefore = new Set([sides.mine, sides.theirs].flatMap((side) => readInVain(tableOf(at(side, path), "nodes"))));
  for (const id of new Set(readInVain(nodes))) {
    const [base, mine, theirs] = [sides.base, sides.mine, sides.theirs].map((json) => at(json, [...where, id]));
    const kept = mine ?? theirs;
    if (kept === undefined || openBefore.has(id)) continue;
    conflicts.push({ path: [...where, id], base, mine, theirs });
    result = /** @type {Json} */ (withPath(result, [...where, id], kept));
  }
  return result;
}

/** Nodes that are read but not there. @param {Json} nodes */
const readInVain = (nodes) =>
  Object.values(nodes)
    .flatMap((node) => Object.values(tableOf(node, "inputs")).flatMap((value) => linksOf(value).map((link) => link.node)))
    .filter((id) => !Object.hasOwn(nodes, id));
