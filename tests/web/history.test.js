import assert from "node:assert/strict";
import { test } from "node:test";

import { Document } from "../../web/core/document.js";
import * as edits from "../../web/core/edits.js";
import { History } from "../../web/core/history.js";
import { editorWith, faultsOf, randomEdit } from "./chance.js";
import { pipeline, random } from "./specs.js";

/** @import {Editor} from "../../web/core/editor.js" */

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

test("a gesture that goes back to where it began is no step", () => {
  const document = Document.from(pipeline());
  const history = new History(document);
  history.commit(edits.setInput("3", "cfg", 1));
  for (const value of [8, 9, 1]) history.commit(edits.setInput("3", "cfg", value), "scrub");
  assert.equal(history.seal(), true);
  assert.equal(history.steps.length, 1);
  for (const value of [8, 1]) history.commit(edits.setInput("3", "cfg", value), "scrub");
  history.undo();
  assert.equal(document.input("3", "cfg"), 7, "undo takes back the step before");
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

test("10,000 random sequences: undo all gives the start and redo all the end, byte for byte; nothing leads nowhere", () => {
  for (let seed = 0; seed < 10_000; seed++) {
    const next = random(seed);
    const editor = editorWith();
    const start = JSON.stringify(editor.document);
    /** @type {string[]} */
    const made = [];
    for (let step = 0; step < 8; step++) {
      made.push(randomEdit(editor, next));
      if (next() < 0.1) editor.undo();
      assert.deepEqual(faultsOf(editor.document), [], `seed ${seed}, after ${made.join(", ")}`);
    }
    editor.jump(editor.history.steps.length);
    const end = JSON.stringify(editor.document);
    editor.jump(0);
    assert.equal(JSON.stringify(editor.document), start, `undo, seed ${seed}: ${made.join(", ")}`);
    editor.jump(editor.history.steps.length);
    assert.equal(JSON.stringify(editor.document), end, `redo, seed ${seed}: ${made.join(", ")}`);
    if (seed % 20 > 0) continue;
    const fresh = editorWith(JSON.parse(end));
    assert.equal(JSON.stringify(fresh.document), end, `round trip, seed ${seed}`);
    editor.leave(0);
    assert.deepEqual(wiresOf(editor), wiresOf(fresh), `scene, seed ${seed}: ${made.join(", ")}`);
  }
});

/** @param {Editor} editor */
function wiresOf(editor) {
  const everywhere = { x: -1e6, y: -1e6, w: 2e6, h: 2e6 };
  return editor.scene
    .wiresIn(everywhere)
    .map((wire) => JSON.stringify(wire))
    .sort();
}
