import assert from "node:assert/strict";
import { test } from "node:test";

import * as cameras from "../../web/core/camera.js";
import { Catalogue } from "../../web/core/catalogue.js";
import { Document } from "../../web/core/document.js";
import * as edits from "../../web/core/edits.js";
import { bezier, distanceToLink, HEADER, layoutOf, linkBox, pointOn } from "../../web/core/geometry.js";
import { Grid, overlap, union } from "../../web/core/grid.js";
import { Editor } from "../../web/core/editor.js";
import { Scene } from "../../web/core/scene.js";
import { freeSpot } from "../../web/core/spot.js";
import { input, pipeline, random, spec, specs } from "./specs.js";

test("a node's rows lie under each other, its ports on its edges", () => {
  const node = pipeline().nodes[3];
  const layout = layoutOf(specs().Sample, node, undefined);
  const ends = layout.rows.map((row) => row.y + row.h);
  assert.equal(layout.rows[0].y >= HEADER, true);
  for (const [index, row] of layout.rows.slice(1).entries()) assert.equal(row.y, ends[index]);
  assert.equal(layout.h >= /** @type {number} */ (ends.at(-1)), true);
  assert.deepEqual([...layout.inputs.keys()], ["model", "positive", "cfg"]);
  for (const point of layout.inputs.values()) assert.equal(point.x, 0);
  for (const point of layout.outputs.values()) assert.equal(point.x, layout.w);
});

test("a prompt box is roomy, grows with its node, and folds away when it is linked", () => {
  const node = pipeline().nodes[2];
  const natural = layoutOf(specs().Encode, node, undefined);
  const prompt = natural.rows.find((row) => row.input?.name === "text");
  assert.equal(Number(prompt?.h) >= 120, true);
  const tall = layoutOf(specs().Encode, node, { x: 0, y: 0, w: 500, h: natural.h + 100 });
  assert.equal(tall.w, 500);
  assert.equal(tall.h, natural.h + 100);
  const linked = layoutOf(specs().Encode, { ...node, inputs: { text: { node: "9", output: "text" } } }, undefined);
  assert.equal(linked.rows.at(-1)?.kind, "linked");
  assert.equal(linked.h < natural.h, true);
});

test("a node is wide enough for its title and for its labels, and its controls have room however narrow it is made", () => {
  const natural = (/** @type {string} */ title, /** @type {string} */ name) => layoutOf({ ...spec("Plain", [input(name, "int")], []), title }, { type: "Plain", inputs: {} }, undefined);
  const plain = natural("Plain", "steps");
  assert.equal(natural("Plain", "guidance start").w - plain.w, natural("Plain", "guidance start").label - plain.label);
  assert.equal(natural("Plain", "guidance_start").label > plain.label, true);
  assert.equal(natural("Prompts for an inpainting model", "steps").w > plain.w, true);
  const narrow = layoutOf(spec("Plain", [input("guidance_start", "int")], []), { type: "Plain", inputs: {} }, { x: 0, y: 0, w: 0 });
  assert.equal(narrow.label, plain.label);
});

test("a plain input without a widget can still be typed into; a model cannot", () => {
  const kinds = layoutOf(spec("Plain", [input("n", "int"), input("m", "Model")], []), { type: "Plain", inputs: {} }, undefined);
  assert.deepEqual(kinds.rows.map((row) => [row.input?.name, row.kind]), [["m", "ports"], ["n", "widget"]]);
});

test("a link's box contains the link", () => {
  const next = random(1);
  for (let round = 0; round < 200; round++) {
    const [from, to] = [{ x: next() * 900, y: next() * 900 }, { x: next() * 900, y: next() * 900 }];
    const box = linkBox(from, to);
    for (let t = 0; t <= 1; t += 0.05) {
      const point = pointOn(bezier(from, to), t);
      assert.ok(point.x >= box.x - 1e-6 && point.x <= box.x + box.w + 1e-6 && point.y >= box.y - 1e-6 && point.y <= box.y + box.h + 1e-6);
    }
  }
});

test("distance to a link is nothing on it and the gap beside it", () => {
  const curve = bezier({ x: 0, y: 0 }, { x: 400, y: 0 });
  assert.ok(distanceToLink(curve, { x: 200, y: 0 }) < 1e-9);
  assert.ok(Math.abs(distanceToLink(curve, { x: 200, y: 30 }) - 30) < 0.5);
});

test("the grid finds what a plain search finds, as items come, move and go", () => {
  const next = random(7);
  const grid = new Grid();
  /** @type {Map<string, import("../../web/core/types.js").Box>} */
  const all = new Map();
  for (let step = 0; step < 600; step++) {
    const id = String(Math.floor(next() * 80));
    if (next() < 0.25) {
      grid.delete(id);
      all.delete(id);
    } else {
      const box = { x: next() * 9000 - 4500, y: next() * 9000 - 4500, w: next() < 0.05 ? 40_000 : next() * 700, h: next() * 700 };
      grid.set(id, box);
      all.set(id, box);
    }
    const area = { x: next() * 9000 - 4500, y: next() * 9000 - 4500, w: next() * 2000, h: next() * 2000 };
    const expected = [...all].filter(([, box]) => overlap(box, area)).map(([each]) => each);
    assert.deepEqual([...grid.query(area)].sort(), expected.sort());
    assert.equal(grid.size, all.size);
  }
});

test("zooming keeps the point under the cursor, fitting shows everything", () => {
  const camera = { x: 30, y: -20, scale: 0.8 };
  const at = { x: 333, y: 222 };
  const zoomed = cameras.zoomAt(camera, at, 1.7);
  const [before, after] = [cameras.toWorld(camera, at), cameras.toWorld(zoomed, at)];
  assert.ok(Math.hypot(before.x - after.x, before.y - after.y) < 1e-9);
  assert.equal(cameras.zoomAt(camera, at, 1e9).scale, cameras.MAX_SCALE);
  assert.equal(cameras.zoomAt(camera, at, 1e-9).scale, cameras.MIN_SCALE);

  const box = { x: -500, y: 100, w: 3000, h: 1200 };
  const fitted = cameras.fit(box, { w: 900, h: 700 });
  const seen = cameras.visible(fitted, { w: 900, h: 700 });
  assert.ok(seen.x <= box.x && seen.y <= box.y && seen.x + seen.w >= box.x + box.w && seen.y + seen.h >= box.y + box.h);
  assert.equal(cameras.fit({ x: 0, y: 0, w: 10, h: 10 }, { w: 900, h: 700 }).scale, 1);
});

test("the scene finds nodes, ports and links by place, and forgets what is gone", () => {
  const document = Document.from(pipeline());
  const scene = new Scene(document, new Catalogue(specs()));
  assert.equal(scene.nodeAt({ x: 710, y: 20 }), "3");
  assert.equal(scene.nodeAt({ x: 1e5, y: 0 }), null);
  const port = /** @type {import("../../web/core/types.js").Point} */ (scene.portPoint({ node: "3", port: "positive", side: "input", type: "" }));
  assert.deepEqual(scene.portAt({ x: port.x + 5, y: port.y + 3 }, 12), { node: "3", port: "positive", side: "input", type: "Conditioning" });
  const wire = scene.wire("3\0positive");
  assert.ok(wire);
  const middle = pointOn(bezier(wire.from, wire.to), 0.5);
  assert.equal(scene.wireAt({ x: middle.x, y: middle.y + 3 }, 6)?.key, wire.key);
  assert.equal(scene.wireAt({ x: middle.x, y: middle.y + 60 }, 6), null);
  document.apply(edits.removeNodes(document, ["2"]));
  scene.refresh(["2", "3"]);
  assert.equal(scene.wire("3\0positive"), undefined);
  assert.equal(scene.nodeAt({ x: 310, y: 20 }), null);
});

test("an unknown kind of node gets ports for everything that is linked to it", () => {
  const document = Document.from({
    nodes: {
      1: { type: "Gone", inputs: { strength: 0.5, on: true, name: "x", image: { node: "2", output: "image" } } },
      2: { type: "Gone too", inputs: {} },
      3: { type: "Show", inputs: { latent: { node: "1", output: "second" } } },
    },
  });
  const scene = new Scene(document, new Catalogue(specs()));
  assert.equal(scene.spec("1").missing, true);
  assert.deepEqual(scene.spec("1").outputs, [{ name: "second", type: "Any" }]);
  assert.deepEqual(scene.spec("1").inputs.map((each) => each.type), ["float", "bool", "str", "Any"]);
  assert.equal(scene.wiresIn({ x: -1e4, y: -1e4, w: 2e4, h: 2e4 }).length, 2);
});

test("nodes without a place are arranged left to right without overlapping", () => {
  const { view: _, ...bare } = pipeline();
  const editor = new Editor();
  editor.setCatalogue(new Catalogue(specs()));
  editor.open(bare);
  const x = (/** @type {string} */ id) => Number(editor.document.places.get(id)?.x);
  assert.ok(x("1") < x("2") && x("2") < x("3") && x("3") < x("4"));
  const boxes = ["1", "2", "3", "4"].map((id) => /** @type {import("../../web/core/types.js").Box} */ (editor.scene.nodes.box(id)));
  for (const [i, a] of boxes.entries()) for (const b of boxes.slice(i + 1)) assert.equal(overlap(a, b), false);
  assert.equal(editor.history.canUndo, false, "arranging on opening is no edit");
  editor.open({ ...bare, nodes: { ...bare.nodes, 9: { type: "Loader", inputs: {} } }, view: { nodes: { 1: { x: 5, y: 5 } } } });
  assert.deepEqual(editor.document.places.get("1"), { x: 5, y: 5 });
  assert.equal(editor.document.places.size, 5);
});

test("arranging a circle of nodes ends", () => {
  const editor = new Editor();
  editor.setCatalogue(new Catalogue(specs()));
  editor.open({ nodes: { 1: { type: "Show", inputs: { latent: { node: "2", output: "x" } } }, 2: { type: "Show", inputs: { latent: { node: "1", output: "x" } } } } });
  assert.equal(editor.document.places.size, 2);
});

test("the box around boxes", () => {
  assert.equal(union([]), null);
  assert.deepEqual(union([{ x: 0, y: 0, w: 1, h: 1 }, { x: 5, y: -5, w: 2, h: 3 }]), { x: 0, y: -5, w: 7, h: 6 });
});

test("a node comes to lie where no other lies", () => {
  const nodes = new Grid();
  const size = { w: 200, h: 120 };
  for (let index = 0; index < 30; index++) {
    const spot = freeSpot(nodes, { x: 40, y: 40 }, size);
    assert.equal(nodes.query({ ...spot, ...size }).size, 0, `node ${index}`);
    nodes.set(String(index), { ...spot, ...size });
  }
  assert.deepEqual(freeSpot(nodes, { x: 9000, y: 9000 }, size), { x: 9000, y: 9000 });
});

test("nodes that look alike share a layout; a link, a width or folding gives a node one of its own", () => {
  const encode = { type: "Encode", inputs: { text: "a" } };
  const nodes = { 1: encode, 2: encode, 3: { type: "Encode", inputs: { text: { node: "1", output: "conditioning" } } }, 4: encode, 5: encode };
  const view = { nodes: { 1: { x: 0, y: 0 }, 2: { x: 900, y: 0 }, 3: { x: 0, y: 900 }, 4: { x: 9, y: 0, w: 500 }, 5: { x: 0, y: 0, collapsed: true } } };
  const document = Document.from({ version: 1, nodes, view });
  const scene = new Scene(document, new Catalogue(specs()));
  for (const [id, node] of document.nodes) assert.deepEqual(scene.layout(id), layoutOf(scene.spec(id), node, document.places.get(id)));
  assert.equal(scene.layout("1"), scene.layout("2"));
  assert.equal(new Set(["1", "3", "4", "5"].map((id) => scene.layout(id))).size, 4);
});
