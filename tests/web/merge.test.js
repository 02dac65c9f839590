import assert from "node:assert/strict";
import { test } from "node:test";
import { become } from "../../web/core/become.js";
import { Document } from "../../web/core/document.js";
import { History } from "../../web/core/history.js";
import { at, common, merge, same, takeTheirs } from "../../web/core/merge.js";
import { editorWith, faultsOf, randomEdit } from "./chance.js";
import { random } from "./specs.js";

/** @import {Json} from "../../web/core/merge.js" */

/** @param {Record<string, unknown>} nodes @returns {Json} */
const workflow = (nodes) => ({ version: 1, nodes, view: { nodes: {} } });
const link = (/** @type {string} */ node) => ({ node, output: "image" });
const BASE = workflow({
  1: { type: "Load", inputs: { image: "owl.png" } },
  2: { type: "Blur", inputs: { image: link("1"), amount: 1 } },
  3: { type: "Save", inputs: { image: link("2") } },
});

/** @param {Json} json @param {readonly string[]} path @param {unknown} value @returns {any} */
function set(json, path, value) {
  const copy = structuredClone(json);
  const parent = /** @type {any} */ (at(copy, path.slice(0, -1)));
  if (value === undefined) delete parent[path[path.length - 1]];
  else parent[path[path.length - 1]] = value;
  return copy;
}

test("what two people changed apart is brought together", () => {
  const mine = set(BASE, ["nodes", "2", "inputs", "amount"], 4);
  const theirs = set(BASE, ["nodes", "1", "inputs", "image"], "cat.png");
  const { merged, conflicts } = merge(BASE, mine, theirs);
  assert.deepEqual(conflicts, []);
  assert.deepEqual(at(merged, ["nodes", "2", "inputs", "amount"]), 4);
  assert.deepEqual(at(merged, ["nodes", "1", "inputs", "image"]), "cat.png");
});

test("what both changed is a conflict, and either side can be taken", () => {
  const path = ["nodes", "2", "inputs", "amount"];
  const { merged, conflicts } = merge(BASE, set(BASE, path, 4), set(BASE, path, 9));
  assert.deepEqual(conflicts, [{ path, base: 1, mine: 4, theirs: 9 }]);
  assert.equal(at(merged, path), 4);
  assert.equal(at(takeTheirs(merged, conflicts), path), 9);
});

test("a node that one took away and the other changed or reads stays, as a conflict", () => {
  const gone = set(set(BASE, ["nodes", "2"], undefined), ["nodes", "3", "inputs", "image"], link("1"));
  const changed = set(BASE, ["nodes", "2", "inputs", "amount"], 9);
  const one = merge(BASE, gone, changed);
  assert.deepEqual(one.conflicts.map((each) => each.path), [["nodes", "2"]]);
  assert.equal(at(one.merged, ["nodes", "2"]), undefined);
  assert.ok(at(takeTheirs(one.merged, one.conflicts), ["nodes", "2"]));
  const reads = set(BASE, ["nodes", "9"], { type: "Save", inputs: { image: link("2") } });
  const two = merge(BASE, gone, reads);
  assert.deepEqual(two.conflicts.map((each) => each.path), [["nodes", "2"]]);
  assert.ok(at(two.merged, ["nodes", "2"]), "a link leads somewhere");
});

test("nodes that both added under one number both stay, with their links", () => {
  const mine = set(BASE, ["nodes", "4"], { type: "Invert", inputs: { image: link("2") } });
  let theirs = set(BASE, ["nodes", "4"], { type: "Scale", inputs: { image: link("2") } });
  theirs = set(set(theirs, ["nodes", "3", "inputs", "image"], link("4")), ["view", "nodes", "4"], { x: 8, y: 9 });
  const { merged, conflicts } = merge(BASE, mine, theirs);
  assert.deepEqual(conflicts, []);
  assert.equal(at(merged, ["nodes", "4", "type"]), "Invert");
  assert.equal(at(merged, ["nodes", "5", "type"]), "Scale");
  assert.deepEqual(at(merged, ["nodes", "3", "inputs", "image"]), link("5"));
  assert.deepEqual(at(merged, ["view", "nodes", "5"]), { x: 8, y: 9 });
});

/** A workflow after some random edits. @param {Json} json @param {() => number} next @param {readonly string[]} ids  that may be touched */
function edited(json, next, ids) {
  let result = json;
  for (let count = 0; count < 4; count++) {
    const id = ids[Math.floor(next() * ids.length)];
    if (!at(result, ["nodes", id])) result = set(result, ["nodes", id], { type: "Blur", inputs: { amount: next() } });
    else if (next() < 0.2) result = set(result, ["nodes", id], undefined);
    else result = set(result, ["nodes", id, "inputs", ["amount", "seed", "image"][Math.floor(next() * 3)]], Math.floor(next() * 3));
  }
  return result;
}

test("random edits: no edit is lost without being told, and sides can be changed over", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed);
    const all = ["1", "2", "3", "7", "8"];
    const [mine, theirs] = [edited(BASE, next, all), edited(BASE, next, all)];
    assert.deepEqual(merge(BASE, mine, BASE), { merged: mine, conflicts: [] });
    assert.deepEqual(merge(BASE, BASE, theirs), { merged: theirs, conflicts: [] });
    assert.deepEqual(merge(BASE, mine, mine), { merged: mine, conflicts: [] });
    const { merged, conflicts } = merge(BASE, mine, theirs);
    for (const id of all) {
      const [before, here, there, now] = [BASE, mine, theirs, merged].map((json) => at(json, ["nodes", id]));
      const told = conflicts.some((each) => each.path[1] === id);
      if (!here && !there) continue;
      if (before === undefined && here && there && !same(here, there)) {
        const types = Object.values(/** @type {any} */ (merged).nodes).filter((node) => same(node, here) || same(node, there));
        assert.ok(types.length >= 2, `${seed}: both of ${id}`);
        continue;
      }
      if (same(before, there) && !told) assert.deepEqual(now, here, `${seed}: mine of ${id}`);
      if (same(before, here) && !told) assert.deepEqual(now, there, `${seed}: theirs of ${id}`);
    }
  }
});

test("edits of different nodes give one result, whoever is first", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const next = random(seed);
    const [mine, theirs] = [edited(BASE, next, ["1", "7"]), edited(BASE, next, ["8", "9"])];
    const [one, two] = [merge(BASE, mine, theirs), merge(BASE, theirs, mine)];
    const reads = one.conflicts.length + two.conflicts.length;
    if (reads === 0) assert.ok(same(one.merged, two.merged), String(seed));
  }
});

test("a workflow becomes another by changes that can be undone", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const from = { ...BASE, interface: [{ name: "amount", node: "2", input: "amount" }] };
    const to = { ...edited(from, next, ["1", "2", "3", "7"]), components: { Pair: { inputs: [], outputs: [], nodes: { 1: { type: "Blur", inputs: {} } }, view: { nodes: { 1: { x: 1, y: 2 } } } } }, interface: [] };
    const document = Document.from(from);
    const start = JSON.stringify(document);
    const history = new History(document);
    const changes = become(document, to);
    history.commit(changes);
    const expected = /** @type {any} */ (Document.from(to).toJSON());
    const got = /** @type {any} */ (document.toJSON());
    assert.deepEqual(got.nodes, expected.nodes);
    assert.deepEqual(got.components, expected.components);
    assert.deepEqual(got.interface, expected.interface);
    history.undo();
    assert.equal(JSON.stringify(document), start);
  }
});

test("without what both began from, what differs is asked, and nothing is doubled or lost", () => {
  const path = ["nodes", "2", "inputs", "amount"];
  const mine = set(set(BASE, path, 4), ["nodes", "4"], { type: "Load", inputs: {} });
  const theirs = set(set(BASE, path, 9), ["nodes", "5"], { type: "Blur", inputs: {} });
  const { merged, conflicts } = merge(common(mine, theirs), mine, theirs);
  assert.deepEqual(merged, set(mine, ["nodes", "5"], { type: "Blur", inputs: {} }));
  assert.deepEqual(conflicts.map((conflict) => conflict.path), [path]);
});

test("two people's edits of any kind, components and frames too, give a workflow in which nothing leads nowhere", () => {
  for (let seed = 1; seed < 150; seed++) {
    const edited = (/** @type {any} */ json, /** @type {number} */ by) => {
      const next = random(by);
      const editor = json ? editorWith(structuredClone(json)) : editorWith();
      for (let step = 0; step < 6; step++) randomEdit(editor, next);
      return JSON.parse(JSON.stringify(editor.document));
    };
    const base = edited(null, seed);
    const [mine, theirs] = [edited(base, 7 * seed + 1), edited(base, 13 * seed + 5)];
    const { merged, conflicts } = merge(base, mine, theirs);
    for (const result of [merged, takeTheirs(merged, conflicts)]) assert.deepEqual(faultsOf(Document.from(result)), [], `seed ${seed}`);
  }
});
