import assert from "node:assert/strict";
import { test } from "node:test";

import { align, distribute } from "../../web/core/align.js";
import { Catalogue } from "../../web/core/catalogue.js";
import { downstream, fits, upstream } from "../../web/core/connect.js";
import * as edits from "../../web/core/edits.js";
import { known, noted } from "../../web/core/files.js";
import { find } from "../../web/core/find.js";
import { addFrame } from "../../web/core/frames.js";
import * as parameters from "../../web/core/interface.js";
import { NodeIndex } from "../../web/core/search.js";
import * as renaming from "../../web/core/renaming.js";
import * as subgraph from "../../web/core/subgraph.js";
import * as tidy from "../../web/core/tidy.js";
import { WORDS } from "../../web/core/words.js";
import { editorWith } from "./chance.js";
import { input, pipeline, spec, specs } from "./specs.js";

const link = (/** @type {string} */ node, /** @type {string} */ output) => ({ node, output });

/** An editor whose kinds include one that takes a list, and one that passes a latent on. @param {any} json */
function editorWithMore(json = pipeline()) {
  const editor = editorWith(json);
  const more = {
    Join: spec("Join", [input("latents", "list[Latent]")], [["latent", "Latent"]]),
    Blur: spec("Blur", [input("samples", "Latent"), input("amount", "float", { kind: "Slider", min: 0, max: 1, step: 0.1 }, 0.5)], [["blurred", "Latent"]]),
  };
  editor.setCatalogue(new Catalogue({ ...specs(), ...more }));
  return editor;
}

test("an input that takes a list takes many links, and lets go of one at a time", () => {
  const editor = editorWithMore();
  const id = editor.add(/** @type {any} */ (editor.catalogue.specs.get("Join")), { x: 0, y: 0 });
  const out = editor.scene.ports("3").find((ref) => ref.side === "output");
  const into = editor.scene.ports(id).find((ref) => ref.side === "input");
  assert.ok(out && into);
  assert.equal(editor.connect(out, into), null);
  assert.deepEqual(editor.document.input(id, "latents"), link("3", "latent"));
  assert.equal(editor.connect(out, into), null);
  assert.deepEqual(editor.document.input(id, "latents"), [link("3", "latent"), link("3", "latent")]);
  assert.equal(editor.scene.wiresIn({ x: -1e5, y: -1e5, w: 2e5, h: 2e5 }).filter((wire) => wire.id === id).length, 2);
  editor.selectWire(`${id}\0latents\0` + "1");
  editor.removeSelected();
  assert.deepEqual(editor.document.input(id, "latents"), [link("3", "latent")]);
  editor.select(["3"]);
  editor.removeSelected();
  assert.equal(editor.document.input(id, "latents"), undefined);
});

test("lists fit what takes one of their items, and one item fits a list", () => {
  assert.equal(fits("list[Image]", "Image"), true);
  assert.equal(fits("Image", "list[Image]"), true);
  assert.equal(fits("list[int]", "list[float]"), true);
  assert.equal(fits("list[Image]", "list[Mask]"), false);
});

test("a node deleted with the flow kept leaves its source joined to its readers", () => {
  const editor = editorWithMore();
  const id = editor.add(/** @type {any} */ (editor.catalogue.specs.get("Blur")), { x: 0, y: 0 });
  const wire = editor.scene.wire("4\0latent");
  assert.ok(wire);
  editor.edit(edits.insertOnLink(editor.document, id, editor.scene.spec(id), wire, "Latent") ?? []);
  assert.deepEqual(editor.document.input("4", "latent"), link(id, "blurred"));
  assert.deepEqual(editor.document.input(id, "samples"), link("3", "latent"));
  editor.select([id]);
  editor.removeKeepingFlow();
  assert.deepEqual(editor.document.input("4", "latent"), link("3", "latent"));
  editor.select(["1"]);
  editor.removeKeepingFlow();
  assert.equal(editor.document.input("2", "clip"), undefined, "a source has nothing to pass on");
});

test("a node that has no fitting input and output does not go into a link", () => {
  const editor = editorWithMore();
  const wire = editor.scene.wire("4\0latent");
  assert.ok(wire);
  const id = editor.add(specs().Number, { x: 0, y: 0 });
  assert.equal(edits.insertOnLink(editor.document, id, editor.scene.spec(id), wire, "Latent"), null);
  assert.equal(edits.insertOnLink(editor.document, "3", editor.scene.spec("3"), wire, "Latent"), null, "it is at its end");
});

test("a node made one of another kind keeps values and links by name, then by type", () => {
  const editor = editorWithMore();
  const other = spec("Paint", [input("network", "Model"), input("positive", "Conditioning"), input("cfg", "float", { kind: "Slider" }, 1)], [["picture", "Latent"]]);
  editor.setCatalogue(new Catalogue({ ...specs(), Paint: other }));
  editor.edit(edits.swapType(editor.document, "3", (id) => editor.scene.spec(id), other));
  assert.deepEqual(editor.document.nodes.get("3"), { type: "Paint", inputs: { network: link("1", "model"), positive: link("2", "conditioning"), cfg: 7 } });
  assert.deepEqual(editor.document.input("4", "latent"), link("3", "picture"));
});

test("what is copied is linked again to what is outside, if that is wanted and there", () => {
  const editor = editorWith();
  editor.select(["3"]);
  const part = editor.copy();
  editor.paste(part, { x: 0, y: 0 });
  assert.deepEqual(editor.document.nodes.get("5")?.inputs, { cfg: 7 });
  editor.paste(part, { x: 0, y: 0 }, true);
  assert.deepEqual(editor.document.input("6", "positive"), link("2", "conditioning"));
  editor.open({ version: 1, nodes: {} });
  editor.paste(part, { x: 0, y: 0 }, true);
  assert.deepEqual(editor.document.nodes.get("1")?.inputs, { cfg: 7 });
});

test("what comes before and after a node", () => {
  const { document } = editorWith();
  assert.deepEqual([...upstream(document, ["2"])].sort(), ["1", "2"]);
  assert.deepEqual([...downstream(document, ["2"])].sort(), ["2", "3", "4"]);
});

test("nodes are aligned and spread evenly", () => {
  const editor = editorWith();
  editor.edit(["1", "2", "3"].map((id, index) => ({ kind: "place", id, place: { x: [0, 310, 900][index], y: index * 50 } })));
  editor.edit(align(editor.document, editor.scene, ["1", "2", "3"], "top"));
  assert.deepEqual(["1", "2", "3"].map((id) => editor.document.places.get(id)?.y), [0, 0, 0]);
  editor.edit(distribute(editor.document, editor.scene, ["1", "2", "3"], "x"));
  const boxes = ["1", "2", "3"].map((id) => /** @type {any} */ (editor.scene.nodes.box(id)));
  const gaps = [boxes[1].x - boxes[0].x - boxes[0].w, boxes[2].x - boxes[1].x - boxes[1].w];
  assert.ok(Math.abs(gaps[0] - gaps[1]) <= 1);
});

test("a box near an edge of a neighbour snaps to it and shows a line; what is under a node is pushed aside", () => {
  const editor = editorWith();
  const snap = tidy.snapToNeighbours([...editor.scene.nodes.boxes()], { x: 303, y: 400, w: 200, h: 90 }, 6);
  assert.equal(snap.x, -3);
  assert.ok(snap.guides.some((guide) => guide.x1 === 300 && guide.x2 === 300));
  editor.edit([{ kind: "place", id: "1", place: { x: 280, y: 0 } }]);
  editor.edit(tidy.pushAside(editor.document, editor.scene, "1"));
  const [one, two, three] = ["1", "2", "3"].map((id) => /** @type {any} */ (editor.scene.nodes.box(id)));
  assert.ok(two.x >= one.x + one.w, "the one under it");
  assert.ok(three.x >= two.x + two.w, "and what that comes to lie on");
});

test("frames stay around what they carry when all is arranged, one within another", () => {
  const editor = editorWith();
  editor.edit([
    { kind: "frame", id: "a", frame: { title: "outer", x: 0, y: 0, w: 100, h: 100 } },
    { kind: "frame", id: "b", frame: { title: "inner", x: 0, y: 0, w: 100, h: 100, frame: "a" } },
    ...["2", "3"].map((id) => /** @type {const} */ ({ kind: "place", id, place: { x: 0, y: 0, frame: id === "2" ? "a" : "b" } })),
  ]);
  editor.arrange();
  const inside = (/** @type {any} */ box, /** @type {any} */ frame) => box.x >= frame.x && box.y >= frame.y && box.x + box.w <= frame.x + frame.w && box.y + box.h <= frame.y + frame.h;
  const { frames } = editor.document;
  assert.ok(inside(editor.scene.nodes.box("2"), frames.get("a")));
  assert.ok(inside(editor.scene.nodes.box("3"), frames.get("b")));
  assert.ok(inside(frames.get("b"), frames.get("a")));
  assert.ok(!inside(editor.scene.nodes.box("1"), frames.get("a")));
});

test("a component's ports are named after what they lead to, and links across its border are kept", () => {
  const editor = editorWith();
  const { changes, id, name } = subgraph.makeComponent(editor.document, ["2", "3"], "Draw");
  editor.edit(changes);
  assert.deepEqual(editor.document.components.get(name), {
    inputs: [{ name: "clip", node: "2", input: "clip" }, { name: "model", node: "3", input: "model" }],
    outputs: [{ name: "latent", node: "3", output: "latent" }],
  });
  assert.deepEqual(editor.document.nodes.get(id), { type: "component:Draw", inputs: { clip: link("1", "clip"), model: link("1", "model") } });
  assert.deepEqual(editor.document.input("4", "latent"), link(id, "latent"));
  const made = editor.scene.spec(id);
  assert.deepEqual(made.inputs.map((each) => [each.name, each.type]), [["clip", "CLIP"], ["model", "Model"]]);
  assert.deepEqual(made.outputs, [{ name: "latent", type: "Latent" }]);
  editor.edit(renaming.renamePort(editor.document, name, "inputs", "clip", "words"));
  assert.deepEqual(editor.document.input(id, "words"), link("1", "clip"));
  editor.edit(subgraph.unpack(editor.document, id).changes);
  assert.equal(editor.document.components.size, 0, "with its last instance it goes");
  assert.deepEqual([...editor.document.nodes.values()].map((node) => node.type).sort(), ["Encode", "Loader", "Sample", "Show"]);
});

test("parameters follow their node into a component and out, and go with it", () => {
  const editor = editorWith();
  editor.edit(parameters.promote(editor.document, "3", "cfg"));
  editor.edit(parameters.promote(editor.document, "2", "text"));
  const { changes, id } = subgraph.makeComponent(editor.document, ["3"], "Draw");
  editor.edit(changes);
  assert.deepEqual(editor.document.interface[0], { name: "cfg", node: id, input: "cfg" });
  editor.edit(subgraph.unpack(editor.document, id).changes);
  const [fresh] = [...editor.document.nodes].filter(([, node]) => node.type === "Sample").map(([each]) => each);
  assert.deepEqual(editor.document.interface[0], { name: "cfg", node: fresh, input: "cfg" });
  editor.select([fresh]);
  editor.removeSelected();
  assert.deepEqual(editor.document.interface.map((port) => port.name), ["text"]);
});

test("an edit undone on another sheet is shown where it was made", () => {
  const editor = editorWith();
  const { changes, id } = subgraph.makeComponent(editor.document, ["2", "3"], "Draw");
  editor.edit(changes);
  editor.enter(id);
  editor.setInput("3", "cfg", 3);
  editor.leave();
  editor.undo();
  assert.equal(editor.document.level, "Draw");
  assert.equal(editor.document.input("3", "cfg"), 7);
  assert.equal(editor.runId("3"), `${id}/3`);
  editor.undo();
  assert.equal(editor.document.level, "");
  assert.equal(editor.document.components.size, 0);
});

test("a loop shows the further inputs of the component that is its body", () => {
  const editor = editorWith();
  const loop = spec("Loop", [input("count", "int", { kind: "Slider" }, 4), input("body", "Body", { kind: "Component", gives: ["model"] })], [["value", "Any"]]);
  editor.setCatalogue(new Catalogue({ ...specs(), Loop: loop }));
  const { changes, name } = subgraph.makeComponent(editor.document, ["2", "3"], "Draw");
  editor.edit(changes);
  const id = editor.add(loop, { x: 0, y: 0 });
  assert.deepEqual(editor.scene.spec(id).inputs.map((each) => each.name), ["count", "body"]);
  editor.setInput(id, "body", { component: name });
  assert.deepEqual(editor.scene.spec(id).inputs.map((each) => each.name), ["count", "body", "clip"]);
});

test("a reroute has the type of what it is linked to, also when that changes", () => {
  const editor = editorWith();
  const wire = editor.scene.wire("4\0latent");
  assert.ok(wire);
  editor.addReroute(wire, { x: 0, y: 0 });
  assert.equal(editor.scene.spec("5").outputs[0].type, "Latent");
  assert.equal(editor.scene.wire("4\0latent")?.type, "Latent");
  editor.unlink("5", "value");
  assert.equal(editor.scene.spec("5").outputs[0].type, "Any");
});

test("a workflow taken off the table comes back with its history and selection", () => {
  const editor = editorWith();
  editor.setInput("3", "cfg", 1);
  editor.select(["3"]);
  const desk = editor.desk();
  editor.open({ version: 1, nodes: {} });
  assert.equal(editor.history.canUndo, false);
  editor.put(desk);
  assert.deepEqual([...editor.selection.value], ["3"]);
  editor.undo();
  assert.equal(editor.document.input("3", "cfg"), 7);
});

test("a point of history keeps its name and can be gone to", () => {
  const editor = editorWith();
  for (const value of [1, 2, 3]) editor.setInput("3", "cfg", value);
  editor.nameStep(1, "two");
  editor.jump(0);
  assert.equal(editor.document.input("3", "cfg"), 7);
  editor.jump(editor.history.steps.findIndex((step) => step.name === "two") + 1);
  assert.equal(editor.document.input("3", "cfg"), 2);
});

test("what model files hold is noted in what is kept of a workflow, for the files it names", () => {
  const editor = editorWith();
  const start = JSON.stringify(editor.document);
  for (const name of ["a", "b", "c"]) known.set(`checkpoints/${name}`, { hash: name, size: 1 });
  editor.setInput("1", "file", "b");
  editor.edit(subgraph.makeComponent(editor.document, ["1"], "Load").changes);
  const kept = JSON.parse(JSON.stringify(noted(editor.document)));
  assert.deepEqual(kept.files, { "checkpoints/b": { hash: "b", size: 1 } });
  editor.jump(0);
  assert.equal(JSON.stringify(editor.document), start);
  known.clear();
  const again = editorWith(kept);
  assert.equal(JSON.stringify(noted(again.document)), JSON.stringify(kept), "from elsewhere it stays noted");
  known.set("checkpoints/b", { hash: "B", size: 2 });
  assert.deepEqual(JSON.stringify(noted(again.document)), JSON.stringify({ ...kept, files: { "checkpoints/b": { hash: "B", size: 2 } } }), "in its place");
  known.clear();
});

test("history goes a thousand steps back and forgets the first", () => {
  const editor = editorWith();
  for (let value = 0; value < 1010; value++) editor.setInput("3", "cfg", value);
  let steps = 0;
  while (editor.history.canUndo) (editor.undo(), (steps += 1));
  assert.equal(steps, 1000);
  assert.equal(editor.document.input("3", "cfg"), 9);
});

test("nodes are found by title, kind, id and value, within components too", () => {
  const editor = editorWith();
  editor.rename("4", "The end");
  editor.edit(subgraph.makeComponent(editor.document, ["2"], "Words").changes);
  const hits = (/** @type {string} */ query) => find(editor.document, editor.catalogue, query).map((hit) => [hit.level, hit.id, hit.input]);
  assert.deepEqual(hits("the end"), [["", "4", null]]);
  assert.deepEqual(hits("sample"), [["", "3", null]]);
  assert.deepEqual(hits("an OWL"), [["Words", "2", "text"]]);
  assert.deepEqual(hits(" "), []);
});

test("kinds added lately come first where nothing was typed", () => {
  const index = new NodeIndex(Object.values(specs()), WORDS);
  assert.deepEqual(index.find("", ["Show", "Number"]).map((each) => each.id).slice(0, 3), ["Show", "Number", "Encode"]);
});

test("what is made or pasted in a frame belongs to it, frames too; a copy beside it does not", () => {
  const editor = editorWith();
  const encode = /** @type {import("../../web/core/types.js").NodeSpec} */ (editor.catalogue.specs.get("Encode"));
  editor.edit([{ kind: "frame", id: "a", frame: { title: "A", x: -100, y: -100, w: 4000, h: 2000 } }]);
  const [id, other] = [editor.add(encode, { x: 2000, y: 500 }), editor.add(encode, { x: 3000, y: 500 })];
  assert.deepEqual([id, other].map((each) => editor.document.places.get(each)?.frame), ["a", "a"]);
  editor.edit(addFrame(editor.document, editor.scene, [id], "B").changes);
  editor.select([id]);
  editor.duplicate();
  const [copy] = editor.selection.peek();
  const inner = editor.document.frames.get(editor.document.places.get(copy)?.frame ?? "");
  assert.deepEqual([inner?.title, inner?.frame], ["B", "a"]);
  const { x, y } = editor.document.places.get(copy) ?? {};
  assert.deepEqual([x, y], [2032, 532], "beside the original, though a frame comes along");
  editor.paste(editor.copy(), { x: 9000, y: 9000 });
  const [far] = editor.selection.peek();
  assert.equal(editor.document.frames.get(editor.document.places.get(far)?.frame ?? "")?.frame, undefined);
});

test("undo in a component of a component goes out no further than it must", () => {
  const editor = editorWith();
  const outer = subgraph.makeComponent(editor.document, ["2", "3"], "Outer");
  editor.edit(outer.changes);
  editor.enter(outer.id);
  const inner = subgraph.makeComponent(editor.document, ["2"], "Inner");
  editor.edit(inner.changes);
  editor.enter(inner.id);
  editor.undo();
  assert.deepEqual(editor.path.peek().map((step) => step.component), ["Outer"]);
  assert.ok(editor.document.nodes.has("2"));
  editor.redo();
  editor.undo();
  editor.undo();
  assert.deepEqual([editor.path.peek(), editor.document.level], [[], ""]);
  const first = subgraph.makeComponent(editor.document, ["2"], "Inner");
  editor.edit(first.changes);
  const around = subgraph.makeComponent(editor.document, [first.id], "Outer");
  editor.edit(around.changes);
  editor.enter(around.id);
  editor.enter(first.id);
  assert.equal(editor.document.level, "Inner");
  editor.undo();
  assert.deepEqual([editor.path.peek(), editor.document.level], [[], ""], "what is around it is gone");
});

/** A workflow whose node 1 is a component that uses another. @param {number} cfg  in the inner one */
const nested = (cfg) => ({
  version: 1,
  nodes: { 1: { type: "component:Outer", inputs: {} } },
  components: {
    Inner: { inputs: [], outputs: [], nodes: { 1: { type: "Sample", inputs: { cfg } } }, view: { nodes: { 1: { x: 0, y: 0 } } } },
    Outer: { inputs: [], outputs: [], nodes: { 1: { type: "component:Inner", inputs: {} } }, view: { nodes: { 1: { x: 0, y: 0 } } } },
  },
  view: { nodes: { 1: { x: 0, y: 0 } } },
});

test("a pasted component brings those it uses, where others of their names are here", () => {
  const editor = editorWithMore(nested(1));
  editor.paste(nested(2), { x: 500, y: 0 });
  const [copy] = editor.selection.peek();
  editor.enter(copy);
  assert.equal(editor.document.nodes.get("1")?.type, "component:Inner 2");
  editor.enter("1");
  assert.equal(editor.document.input("1", "cfg"), 2);
  editor.leave(0);
  editor.paste(nested(1), { x: 900, y: 0 });
  assert.equal(editor.document.nodes.get([...editor.selection.peek()][0])?.type, "component:Outer", "the same is used");
});

test("what is pasted into a component it contains is another, not itself", () => {
  const editor = editorWithMore(nested(1));
  editor.enter("1");
  editor.enter("1");
  editor.paste(nested(1), { x: 500, y: 0 });
  const [copy] = editor.selection.peek();
  assert.equal(editor.document.nodes.get(copy)?.type, "component:Outer 2");
  assert.equal(editor.document.sheet("Outer 2").nodes.get("1")?.type, "component:Inner 2");
});

test("frames go into a component with all they carry, and come out again", () => {
  const editor = editorWith();
  const around = addFrame(editor.document, editor.scene, ["2", "3", "4"], "Around");
  editor.edit(around.changes);
  editor.edit(addFrame(editor.document, editor.scene, ["2", "3"], "Draw").changes);
  const before = editor.document.toJSON();
  const { changes, id, name } = subgraph.makeComponent(editor.document, ["2", "3"], "Part");
  editor.edit(changes);
  assert.deepEqual([...editor.document.frames.values()].map((frame) => frame.title), ["Around"]);
  assert.equal(editor.document.places.get(id)?.frame, around.id);
  const inside = editor.document.sheet(name);
  const [[frame, { title }]] = inside.frames;
  assert.deepEqual([title, inside.places.get("2")?.frame, inside.places.get("3")?.frame], ["Draw", frame, frame]);
  editor.edit(subgraph.unpack(editor.document, id).changes);
  const [out, drawn] = [...editor.document.frames].find((each) => each[1].title === "Draw") ?? [];
  assert.equal(drawn?.frame, around.id);
  assert.equal([...editor.document.places.values()].filter((place) => place.frame === out).length, 2);
  editor.undo();
  editor.undo();
  assert.deepEqual(editor.document.toJSON(), before);
});
