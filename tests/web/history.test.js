import assert from "node:assert/strict";
import { test } from "node:test";

import { Document } from "../../web/core/document.js";
import * as edits from "../../web/core/edits.js";
import { History } from "../../web/core/history.js";
import { Editor } from "../../web/core/editor.js";
import { Catalogue } from "../../web/core/catalogue.js";
import { pipeline, random, specs } from "./specs.js";

test("undo and redo step through edits", () => {
  const document = Document.from(pipeline());
  const history = new History(document);
  history.commit(edits.setInput("3", "cfg", 1));
  history.commit(edits.setInput("3", "cfg", 2));
  assert.deepEqual([...history.undo().values()].map((write) => write.id), ["3"]);
  assert.equal(document.input("3", "cfg"), 1);
  history.undo();
  assert.equal(document.input("3", "cfg"), 7);
  assert.equal(history.canUndo, false);
  history.redo();
  history.redo();
  assert.equal(document.input("3", "cfg"), 2);
  assert.equal(history.canRedo, false);
});

test("edits of one gesture are one step, until the gesture ends", () => {
  const document = Document.from(pipeline());
  const history = new History(document);
  for (const text of ["a", "a ", "a c", "a ca", "a cat"]) history.commit(edits.setInput("2", "text", text), "typing");
  history.seal();
  history.commit(edits.setInput("2", "text", "a dog"), "typing");
  history.undo();
  assert.equal(document.input("2", "text"), "a cat");
  history.undo();
  assert.equal(document.input("2", "text"), "an owl");
  history.redo();
  assert.equal(document.input("2", "text"), "a cat");
});

test("a fresh edit forgets what was undone", () => {
  const document = Document.from(pipeline());
  const history = new History(document);
  history.commit(edits.setInput("3", "cfg", 1));
  history.undo();
  history.commit(edits.setInput("3", "cfg", 3));
  assert.equal(history.canRedo, false);
});

/** @param {Editor} editor @param {() => number} next */
function randomEdit(editor, next) {
  const ids = [...editor.document.nodes.keys()];
  const pick = () => ids[Math.floor(next() * ids.length)];
  const kinds = Object.values(specs());
  const choice = ids.length < 2 ? 0 : Math.floor(next() * 7);
  if (choice === 0) editor.add(kinds[Math.floor(next() * kinds.length)], { x: next() * 900, y: next() * 900 });
  else if (choice === 1) editor.edit(edits.removeNodes(editor.document, [pick()]));
  else if (choice === 2) {
    const gesture = next() < 0.5 ? "drag" : null;
    const id = pick();
    editor.edit([{ kind: "place", id, place: { x: Math.round(next() * 100), y: 0 } }], gesture);
  } else if (choice === 3) editor.setInput(pick(), "cfg", Math.round(next() * 30), next() < 0.5);
  else if (choice === 4) {
    const [from, to] = [editor.scene.ports(pick()), editor.scene.ports(pick())];
    if (from.length > 0 && to.length > 0) editor.connect(from[Math.floor(next() * from.length)], to[Math.floor(next() * to.length)]);
  } else if (choice === 5) {
    editor.select([pick(), pick()]);
    editor.duplicate();
  } else editor.arrange();
}

test("300 random sequences: undo all gives the start, redo all gives the end, the scene matches a fresh one", () => {
  for (let seed = 0; seed < 300; seed++) {
    const next = random(seed);
    const editor = new Editor();
    editor.setCatalogue(new Catalogue(specs()));
    editor.open(pipeline());
    const start = JSON.stringify(editor.document);
    for (let step = 0; step < 30; step++) {
      randomEdit(editor, next);
      if (next() < 0.15) editor.undo();
    }
    while (editor.history.canRedo) editor.redo();
    const end = JSON.stringify(editor.document.toJSON(), sortKeys);
    while (editor.history.canUndo) editor.undo();
    assert.equal(JSON.stringify(editor.document.toJSON(), sortKeys), JSON.stringify(JSON.parse(start), sortKeys), `undo, seed ${seed}`);
    while (editor.history.canRedo) editor.redo();
    assert.equal(JSON.stringify(editor.document.toJSON(), sortKeys), end, `redo, seed ${seed}`);
    const fresh = new Editor();
    fresh.setCatalogue(new Catalogue(specs()));
    fresh.open(JSON.parse(JSON.stringify(editor.document)));
    assert.deepEqual(wiresOf(editor), wiresOf(fresh), `scene, seed ${seed}`);
  }
});

/** @param {string} _key @param {unknown} value */
function sortKeys(_key, value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** @param {Editor} editor */
function wiresOf(editor) {
  const everywhere = { x: -1e6, y: -1e6, w: 2e6, h: 2e6 };
  return editor.scene
    .wiresIn(everywhere)
    .map((wire) => JSON.stringify(wire))
    .sort();
}
