import assert from "node:assert/strict";
import { test } from "node:test";

import { fixesFor } from "../../web/core/fixes.js";
import { packOf } from "../../web/core/unknown.js";
import { editorWith } from "./chance.js";
import "./language.js";
import { pipeline } from "./specs.js";

/** @param {string} code @param {string} node @param {string} port @param {string} hint */
const problem = (code, node, port, hint = "") => ({ code, node, port, message: "", hint });

test("between what does not fit a node is put that turns one into the other", () => {
  const json = pipeline();
  json.nodes[3].inputs.positive = { node: "1", output: "clip" };
  const editor = editorWith(json);
  const [cast] = fixesFor(problem("wrong_type", "3", "positive"), editor);
  editor.edit(cast.changes);
  const link = /** @type {{node: string, output: string}} */ (editor.document.input("3", "positive"));
  const made = editor.document.nodes.get(link.node);
  assert.equal(made?.type, "Encode");
  assert.deepEqual(made?.inputs.clip, { node: "1", output: "clip" });
  assert.equal(link.output, "conditioning");
  editor.undo();
  assert.deepEqual(editor.document.input("3", "positive"), { node: "1", output: "clip" });
});

test("another output of the same node is taken where it fits", () => {
  const json = pipeline();
  json.nodes[3].inputs.model = { node: "1", output: "clip" };
  const editor = editorWith(json);
  const [direct] = fixesFor(problem("wrong_type", "3", "model"), editor);
  editor.edit(direct.changes);
  assert.deepEqual(editor.document.input("3", "model"), { node: "1", output: "model" });
});

test("a link that is missing comes from the nearest output that fits, never from what follows", () => {
  const json = /** @type {any} */ (pipeline());
  delete json.nodes[3].inputs.model;
  json.nodes[5] = { type: "Loader", inputs: { file: "b" } };
  json.view.nodes[5] = { x: 650, y: 0 };
  const editor = editorWith(json);
  const [nearest, other] = fixesFor(problem("missing_input", "3", "model"), editor);
  editor.edit(nearest.changes);
  assert.deepEqual(editor.document.input("3", "model"), { node: "5", output: "model" });
  editor.undo();
  editor.edit(other.changes);
  assert.deepEqual(editor.document.input("3", "model"), { node: "1", output: "model" });
});

test("where several values are tried, it is their list that is put right", () => {
  const json = /** @type {any} */ (pipeline());
  json.nodes[3].sweep = { cfg: "5, 99", seed: "1..3" };
  const editor = editorWith(json);
  const fixes = fixesFor(problem("bad_value", "3", "cfg", "did you mean '5'?"), editor);
  assert.deepEqual(fixes.map(({ label }) => label), ["Back to one value of cfg"]);
  editor.edit(fixes[0].changes);
  assert.deepEqual(editor.document.nodes.get("3")?.sweep, { seed: "1..3" });
});

test("a value out of range comes to its end, an unknown choice to the one most like it", () => {
  const json = pipeline();
  json.nodes[3].inputs.cfg = 99;
  json.nodes[1].inputs.file = "bb";
  const editor = editorWith(json);
  editor.edit(fixesFor(problem("bad_value", "3", "cfg"), editor)[0].changes);
  assert.equal(editor.document.input("3", "cfg"), 30);
  editor.edit(fixesFor(problem("bad_value", "1", "file", "did you mean 'b'?"), editor)[0].changes);
  assert.equal(editor.document.input("1", "file"), "b");
});

test("a value of the wrong kind gives way to one of the right kind; there is no link to take away", () => {
  const json = /** @type {any} */ (pipeline());
  json.nodes[3].inputs.cfg = "many";
  const editor = editorWith(json);
  const fixes = fixesFor(problem("wrong_type", "3", "cfg"), editor);
  assert.equal(fixes.length, 1);
  editor.edit(fixes[0].changes);
  assert.equal(typeof editor.document.input("3", "cfg"), "number");
});

test("a node of an unknown kind becomes the kind most like it, its links and values kept; undone in one step", () => {
  const json = /** @type {any} */ (pipeline());
  json.nodes[3] = { type: "other.SampleFancy", title: "mine", inputs: { model: { node: "1", output: "model" }, cond: { node: "2", output: "conditioning" }, cfg: 3, more: 1 } };
  json.nodes[4].inputs.latent = { node: "3", output: "LATENT" };
  const editor = editorWith(json);
  const before = editor.document.toJSON();
  const [replace, remove] = fixesFor(problem("unknown_node", "3", ""), editor);
  assert.equal(replace.label, "Replace by Sample");
  editor.edit(replace.changes);
  const made = editor.document.nodes.get("3");
  assert.deepEqual([made?.type, made?.title], ["Sample", "mine"]);
  assert.deepEqual(made?.inputs, { model: { node: "1", output: "model" }, positive: { node: "2", output: "conditioning" }, cfg: 3 });
  assert.deepEqual(editor.document.input("4", "latent"), { node: "3", output: "latent" });
  editor.undo();
  assert.deepEqual(editor.document.toJSON(), before);
  assert.equal(remove.label, "Delete, keeping the flow");
  assert.deepEqual(packOf(editor, "3"), { name: "other", foreign: false });
});

test("an unknown node without its like is deleted, what it read going on to its readers by the types there", () => {
  const json = /** @type {any} */ (pipeline());
  json.nodes[5] = { type: "Xyzzy", inputs: { a: { node: "1", output: "clip" }, b: { node: "2", output: "conditioning" } }, pack: "some-pack" };
  json.nodes[3].inputs.positive = { node: "5", output: "0" };
  const editor = editorWith(json);
  const fixes = fixesFor(problem("unknown_node", "5", ""), editor);
  editor.edit(/** @type {{changes: import("../../web/core/document.js").Change[]}} */ (fixes.at(-1)).changes);
  assert.deepEqual(editor.document.input("3", "positive"), { node: "2", output: "conditioning" });
  editor.undo();
  assert.deepEqual(packOf(editor, "5"), { name: "some-pack", foreign: true });
});

test("where the neighbours are unknown too, names of ports tell the kind", () => {
  const json = /** @type {any} */ (pipeline());
  json.nodes[2].type = "Xyzzy";
  json.nodes[3].type = "Plugh";
  const [replace] = fixesFor(problem("unknown_node", "2", ""), editorWith(json));
  assert.equal(replace.label, "Replace by Encode");
});
