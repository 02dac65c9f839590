import assert from "node:assert/strict";
import { test } from "node:test";

import { differences } from "../../web/core/diff.js";
import { makeComponent } from "../../web/core/subgraph.js";
import { promote } from "../../web/core/interface.js";
import { editorWith } from "./chance.js";
import "./language.js";
import { specs } from "./specs.js";

/** @import {Editor} from "../../web/core/editor.js" */
/** @import {Sheet} from "../../web/core/diff.js" */

/** @param {Editor} editor */
const saved = (editor) => /** @type {Sheet} */ (JSON.parse(JSON.stringify(editor.document)));
/** @param {Sheet} before @param {Sheet} after */
const told = (before, after) => differences(before, after, (type) => specs()[type]).map(({ kind, text }) => `${kind}: ${text}`);

test("what was added, removed and changed is told; where nodes lie is not", () => {
  const editor = editorWith();
  const before = saved(editor);
  editor.setInput("3", "cfg", 4, true);
  editor.edit([{ kind: "remove", id: "4" }, { kind: "place", id: "1", place: { x: 500, y: 0 } }]);
  editor.add(specs().Number, { x: 0, y: 0 });
  assert.deepEqual(told(before, saved(editor)).sort(), ["added: Number added", "changed: cfg 7 → 4 on Sample", "removed: Show removed"]);
  assert.deepEqual(told(before, before), []);
});

test("a change within a component is told, and one of the parameters", () => {
  const editor = editorWith();
  const { changes, id } = makeComponent(editor.document, ["2", "3"], "Part");
  editor.edit(changes);
  const before = saved(editor);
  editor.enter(id);
  editor.setInput("3", "cfg", 4, true);
  editor.leave();
  assert.deepEqual(told(before, saved(editor)), ["changed: cfg 7 → 4 on Sample, in Part"]);
  const within = saved(editor);
  editor.edit(promote(editor.document, "1", "file"));
  assert.deepEqual(told(within, saved(editor)), ["changed: the parameters differ"]);
});
