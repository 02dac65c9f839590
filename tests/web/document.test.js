import assert from "node:assert/strict";
import { test } from "node:test";

import { BadDocument, Document, isLink } from "../../web/core/document.js";
import { extract, insert } from "../../web/core/clip.js";
import * as edits from "../../web/core/edits.js";
import { pipeline, specs } from "./specs.js";

test("what is read is written again, unknown fields and all", () => {
  const json = {
    version: 1,
    author: "someone",
    nodes: { 1: { type: "Nobody knows", inputs: { x: [1, { y: null }] }, colour: "red", muted: true } },
    view: { zoom: 2, nodes: { 1: { x: 1.5, y: -2, folded: true } } },
  };
  assert.deepEqual(Document.from(json).toJSON(), json);
});

test("a file that is no workflow is refused with the reason", () => {
  assert.throws(() => Document.from([]), BadDocument);
  assert.throws(() => Document.from({}), /app.noWorkflow/);
  assert.throws(() => Document.from({ version: 99, nodes: {} }), /app.newer/);
  assert.throws(() => Document.from({ nodes: { 7: { inputs: {} } } }), /Node 7 has no "type"/);
});

test("names from Object.prototype are names like any other", () => {
  const json = JSON.parse('{"version": 1, "nodes": {"__proto__": {"type": "Loader", "inputs": {"__proto__": 1}}}, "view": {"nodes": {}}}');
  const document = Document.from(json);
  assert.equal(document.input("__proto__", "constructor"), undefined);
  assert.equal(document.input("__proto__", "__proto__"), 1);
  document.apply(edits.setInput("__proto__", "__proto__", 2));
  assert.equal(document.input("__proto__", "__proto__"), 2);
  assert.equal(JSON.stringify(document).includes('"__proto__":2'), true);
  assert.equal(/** @type {any} */ ({}).type, undefined);
});

test("a link has exactly a node and an output", () => {
  assert.equal(isLink({ node: "1", output: "model" }), true);
  for (const other of [null, "1", { node: 1, output: "model" }, { node: "1" }, { node: "1", output: "x", more: 1 }, ["1", "x"]]) {
    assert.equal(isLink(other), false);
  }
});

test("the id of a node that was deleted is not given to another", () => {
  const document = Document.from(pipeline());
  const free = Number(document.freeId());
  document.apply(edits.addNode(String(free), specs().Sample, { x: 0, y: 0 }));
  document.apply([{ kind: "remove", id: String(free) }]);
  assert.equal(document.freeId(), String(free + 1));
});

test("every change has an inverse", () => {
  const document = Document.from(pipeline());
  const before = document.toJSON();
  const changes = [
    ...edits.setInput("3", "cfg", 5.5),
    ...edits.setInput("3", "fresh", "value"),
    ...edits.setField(["2"], "title", "Prompt"),
    { kind: /** @type {const} */ ("place"), id: "1", place: { x: 8, y: 8, w: 300 } },
    ...edits.link({ node: "1", output: "model" }, "4", "latent"),
    ...edits.addNode("9", specs().Sample, { x: 0, y: 0 }),
  ];
  const patch = document.apply(changes);
  assert.deepEqual([...new Set([...patch.values()].map((write) => write.id))].sort(), ["1", "2", "3", "4", "9"]);
  assert.equal(document.input("9", "cfg"), 7);
  const after = JSON.stringify(document);
  document.revert(patch);
  assert.equal(JSON.stringify(document), JSON.stringify(before), "byte for byte");
  document.replay(patch);
  assert.equal(JSON.stringify(document), after);
});

test("removing nodes takes the links that read them, and undoing brings them back", () => {
  const document = Document.from(pipeline());
  const before = document.toJSON();
  const patch = document.apply(edits.removeNodes(document, ["1", "2"]));
  assert.deepEqual([...document.nodes.keys()], ["3", "4"]);
  assert.deepEqual(document.nodes.get("3")?.inputs, { cfg: 7 });
  assert.deepEqual([...document.readers("1")], []);
  document.revert(patch);
  assert.deepEqual(document.toJSON(), before);
  assert.equal([...document.readers("1")].length, 2);
});

test("the index of readers follows links as they come and go", () => {
  const document = Document.from(pipeline());
  document.apply(edits.unlink("3", "model", specs().Sample));
  assert.deepEqual([...document.readers("1")], [{ id: "2", name: "clip" }]);
  document.apply(edits.link({ node: "1", output: "model" }, "3", "cfg"));
  assert.deepEqual([...document.readers("1")].map((reader) => reader.name).sort(), ["cfg", "clip"]);
  document.apply(edits.unlink("3", "cfg", specs().Sample));
  assert.equal(document.input("3", "cfg"), 7, "an input with a widget gets its default back");
});

test("copied nodes keep the links among them and drop those from outside", () => {
  const document = Document.from(pipeline());
  const part = extract(document, ["2", "3"]);
  assert.deepEqual(part.nodes["2"]?.inputs, { text: "an owl" });
  assert.deepEqual(part.nodes["3"]?.inputs, { positive: { node: "2", output: "conditioning" }, cfg: 7 });
  const { changes, ids } = insert(document, part, { x: 40, y: 80 });
  document.apply(changes);
  assert.deepEqual(ids, ["5", "6"]);
  assert.deepEqual(document.input("6", "positive"), { node: "5", output: "conditioning" });
  assert.deepEqual(document.places.get("5"), { x: 40, y: 80 });
  assert.deepEqual(document.places.get("6"), { x: 440, y: 80 });
});
