import assert from "node:assert/strict";
import { test } from "node:test";

import { cellAt, cellOf, lostCells } from "../../web/core/cells.js";
import { sentence } from "../../web/core/run.js";
import { expanded, MOST_COMBINATIONS, shown, targetsIn } from "../../web/core/expand.js";
import { swept } from "../../web/request.js";
import { sweepsOf, sweepValues, unswept, withSweep } from "../../web/core/sweep.js";
import "./language.js";

const INT = /** @type {any} */ ({ name: "steps", type: "int", widget: { kind: "Slider" } });
const FLOAT = /** @type {any} */ ({ name: "cfg", type: "float", widget: { kind: "Slider" } });
const SEED = /** @type {any} */ ({ name: "seed", type: "int", widget: { kind: "Seed" } });
const TEXT = /** @type {any} */ ({ name: "text", type: "str", widget: { kind: "Text", multiline: true } });
const CHOICE = /** @type {any} */ ({ name: "sampler", type: "str", widget: { kind: "Choice" } });
const TOGGLE = /** @type {any} */ ({ name: "tiled", type: "bool", widget: { kind: "Toggle" } });

/** @param {string} text @param {any} input @param {readonly string[]} options */
const values = (text, input, options = []) => sweepValues(text, input, options, () => 5);

test("lists and ranges as a person writes them", () => {
  assert.deepEqual(values("1..5", INT), [1, 2, 3, 4, 5]);
  assert.deepEqual(values("4, 7, 10", FLOAT), [4, 7, 10]);
  assert.deepEqual(values("1..2 step 0.5", FLOAT), [1, 1.5, 2]);
  assert.deepEqual(values("0..1 / 0.1", FLOAT), [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  assert.deepEqual(values("5..1", INT), [5, 4, 3, 2, 1]);
  assert.deepEqual(values("512*2, 8..9", INT), [1024, 8, 9]);
  assert.deepEqual(values("4，7；10", FLOAT), [4, 7, 10]);
  assert.deepEqual(values("-2..-1", INT), [-2, -1]);
  assert.deepEqual(values("random 3", SEED), [5, 5, 5]);
  assert.deepEqual(values("euler, HEUN", CHOICE, ["euler", "heun", "heunpp"]), ["euler", "heun"]);
  assert.deepEqual(values("yes, no", TOGGLE), [true, false]);
  assert.deepEqual(values("a red apple, ripe\na pear | a plum", TEXT), ["a red apple, ripe", "a pear", "a plum"]);
});

test("what is no list says which part is none", () => {
  for (const [text, input] of /** @type {[string, any][]} */ ([["", INT], ["4, x", FLOAT], ["1..", INT], ["1..1000", INT], ["1..2 step 0", FLOAT], ["maybe", TOGGLE]])) {
    assert.throws(() => values(text, input), RangeError, text);
  }
  assert.throws(() => values("eulr", CHOICE, ["euler"]), { name: "RangeError", message: "eulr" });
});

test("a sweep is a field of its node, absent where nothing is swept", () => {
  const node = { type: "KSampler", inputs: {}, sweep: { cfg: "1..3" } };
  assert.deepEqual(sweepsOf(node), { cfg: "1..3" });
  assert.deepEqual(withSweep(node, "steps", "4, 8"), { cfg: "1..3", steps: "4, 8" });
  assert.equal(withSweep(node, "cfg", " "), undefined);
  assert.deepEqual(sweepsOf({ type: "X", inputs: {}, sweep: /** @type {any} */ ([1]) }), {});
});

const WORKFLOW = {
  version: 1,
  nodes: {
    1: { type: "Load", inputs: { checkpoint: "m" } },
    2: { type: "Encode", inputs: { clip: { node: "1", output: "clip" }, text: "x" } },
    5: { type: "KSampler", inputs: { model: { node: "1", output: "model" }, positive: { node: "2", output: "c" }, cfg: 7, seed: 1 }, sweep: { cfg: "4, 7" } },
    6: { type: "Decode", inputs: { latent: { node: "5", output: "latent" }, vae: { node: "1", output: "vae" } } },
    7: { type: "SaveImage", inputs: { image: { node: "6", output: "image" }, prefix: "p" } },
  },
};
/** @param {string} id */
const spec = (id) => /** @type {any} */ ({ sink: id === "7", inputs: id === "7" ? [{ name: "image", type: "Image" }] : [] });

test("two axes: what they reach is copied, what they do not is shared, the pictures meet in one sheet", () => {
  const axes = [{ id: "5", name: "cfg", values: [4, 7, 9], label: "cfg" }, { id: "5", name: "seed", values: [1, 2], label: "seed" }];
  const made = expanded(WORKFLOW, axes, spec);
  const nodes = /** @type {Record<string, any>} */ (made.nodes);
  const ids = Object.keys(nodes);
  assert.equal(ids.length, 2 + 3 * 6 + 2);
  assert.ok("1" in nodes && "2" in nodes && !("5" in nodes));
  assert.deepEqual(ids.filter((id) => id.startsWith("5@")).map((id) => [nodes[id].inputs.cfg, nodes[id].inputs.seed]), [[4, 1], [7, 1], [9, 1], [4, 2], [7, 2], [9, 2]]);
  assert.deepEqual(nodes["6@4"].inputs, { latent: { node: "5@4", output: "latent" }, vae: { node: "1", output: "vae" } });
  assert.equal(nodes["5@1"].sweep, undefined);
  const sheet = nodes["7@sheet1"];
  assert.deepEqual(sheet.inputs.images.map((/** @type {any} */ link) => link.node), ["6@1", "6@2", "6@3", "6@4", "6@5", "6@6"]);
  assert.deepEqual([sheet.inputs.columns, sheet.inputs.rows, sheet.inputs.title], ["cfg 4\ncfg 7\ncfg 9", "seed 1\nseed 2", ""]);
  assert.deepEqual(nodes["7@sheet1@saved"].inputs, { image: { node: "7@sheet1", output: "image" }, prefix: "p" });
  assert.equal(/** @type {any} */ (unswept(JSON.parse(JSON.stringify(made)))).version, 1);
  assert.deepEqual(unswept(made), WORKFLOW);
  assert.equal(unswept(WORKFLOW), WORKFLOW);
  assert.deepEqual(targetsIn(nodes, ["6"]), ["6@1", "6@2", "6@3", "6@4", "6@5", "6@6"]);
});

test("a third axis turns the page", () => {
  const axes = [["cfg", [4, 7]], ["seed", [1, 2]], ["text", ["a/b.safetensors", "c"]]].map(([name, values], i) => /** @type {any} */ ({ id: i === 2 ? "2" : "5", name, values, label: name }));
  const nodes = /** @type {Record<string, any>} */ (expanded(WORKFLOW, axes, spec).nodes);
  assert.equal(nodes["7@sheet1"].inputs.title, "text b");
  assert.equal(nodes["7@sheet2"].inputs.title, "text c");
  assert.deepEqual(nodes["7@sheet2"].inputs.images.map((/** @type {any} */ link) => link.node), ["6@5", "6@6", "6@7", "6@8"]);
  assert.equal(nodes["5@8"].inputs.positive.node, "2@8");
});

test("labels tell values apart: words as they are, files by their names, what begins alike by what differs", () => {
  const long = "a photograph of a quiet harbour at dawn with";
  assert.deepEqual(shown(["black/white photo", "1/2 of a pear"]), ["black/white photo", "1/2 of a pear"]);
  assert.deepEqual(shown(["style/ink.safetensors", "oil.SFT", 0.5, true]), ["ink", "oil", "0.5", "true"]);
  assert.deepEqual(shown(["a/ink.safetensors", "b/ink.safetensors"]), ["a/ink.safetensors", "b/ink.safetensors"]);
  assert.deepEqual(shown([`${long} a dog`, `${long} a duck`]), ["…dog", "…duck"]);
  assert.deepEqual(shown([long, `${long} a duck`]), ["…with", "…with a duck"]);
  assert.equal(new Set(shown(["宁静的港口清晨薄雾笼罩远处有山海面平静倒映天空水边停着几艘小船岸上灯火通明有一只狗", "宁静的港口清晨薄雾笼罩远处有山海面平静倒映天空水边停着几艘小船岸上灯火通明有一只猫"])).size, 2);
  assert.deepEqual(shown([5, 5]), ["5", "5"]);
});

test("of inputs that have one name, each is told with its node", async () => {
  const sampler = (/** @type {string} */ title, /** @type {string} */ cfg) => ({ type: "Sampler", title, inputs: {}, sweep: { cfg } });
  const kinds = /** @type {any} */ ({ specs: new Map([["Sampler", { title: "Sampler", inputs: [FLOAT, INT] }]]), options: () => [] });
  const labelled = async (/** @type {Record<string, any>} */ nodes) => /** @type {any} */ ((await swept({ version: 1, nodes }, kinds, null)).workflow).cells;
  assert.deepEqual(await labelled({ 1: sampler("Paint", "3, 4"), 2: sampler("", "5") }), ["Paint · cfg 3 · Sampler · cfg 5", "Paint · cfg 4 · Sampler · cfg 5"]);
  assert.deepEqual(await labelled({ 1: sampler("Paint", "3, 4"), 2: { ...sampler("", ""), sweep: { steps: "5" } } }), ["cfg 3 · steps 5", "cfg 4 · steps 5"]);
});

test("a sheet is saved like the first of its pictures", () => {
  const named = { ...WORKFLOW.nodes, 7: { type: "SaveImage", inputs: { image: { node: "6", output: "image" }, prefix: { node: "5", output: "name" } } } };
  const { nodes } = expanded({ ...WORKFLOW, nodes: named }, [{ id: "5", name: "cfg", values: [4, 7], label: "cfg" }], spec);
  assert.deepEqual(nodes["7@sheet1@saved"].inputs.prefix, { node: "5@1", output: "name" });
});

test("more combinations than anyone looks at are refused", () => {
  const many = Array.from({ length: 40 }, (_, i) => i);
  const axes = [{ id: "5", name: "cfg", values: many, label: "cfg" }, { id: "5", name: "seed", values: many, label: "seed" }];
  assert.ok(many.length ** 2 > MOST_COMBINATIONS);
  assert.throws(() => expanded(WORKFLOW, axes, spec), RangeError);
});

test("a cell is the workflow with the values it was made with, and lies where the sheet shows it", () => {
  const axes = [{ id: "5", name: "cfg", values: [4, 7, 9], label: "cfg" }, { id: "2", name: "text", values: ["a pear", "a plum"], label: "text" }];
  const swept = { ...WORKFLOW, nodes: { ...WORKFLOW.nodes, 2: { ...WORKFLOW.nodes[2], sweep: { text: "a pear | a plum" } } } };
  const made = /** @type {any} */ (JSON.parse(JSON.stringify(expanded(swept, axes, spec))));
  const cell = cellOf(made, "7@5");
  assert.equal(cell?.label, "cfg 7 · text a plum");
  const { nodes } = /** @type {any} */ (cell?.workflow);
  assert.deepEqual([nodes[5].inputs.cfg, nodes[2].inputs.text, nodes[5].sweep, nodes[2].sweep], [7, "a plum", undefined, undefined]);
  assert.deepEqual(nodes[7], WORKFLOW.nodes[7]);
  assert.deepEqual([cellOf(made, "7@sheet1@saved"), cellOf(WORKFLOW, "7"), cellOf(WORKFLOW, "7@1")], [null, null, null]);

  const size = { width: 30 + 3 * 108 - 8, height: 20 + 2 * 58 - 8 };
  const at = (/** @type {number} */ x, /** @type {number} */ y) => cellAt(made, "7@sheet1@saved", size, () => ({ width: 100, height: 50 }), { x, y });
  assert.deepEqual([at(31, 21), at(31 + 108, 21), at(size.width - 1, size.height - 1)], ["7@1", "7@2", "7@6"]);
  assert.deepEqual([at(10, 40), at(60, 10), cellAt(made, "7@1", size, () => size, { x: 1, y: 1 })], [null, null, null]);
});

test("a failure names the cells it cost: its own, and those that were to use what it makes", () => {
  const workflow = { cells: ["cfg 4", "cfg 7", "cfg 9", "cfg 11"] };
  const [ran, failed] = [{ state: "ran", reason: "" }, { state: "failed", reason: "too large" }];
  const skipped = (/** @type {string} */ id) => ({ state: "skipped", reason: `${id} K sampler failed` });
  const told = { 1: ran, "5@1": ran, "5@2": failed, "5@3": skipped("5@2"), "6@2": skipped("5@2"), "6@3": skipped("5@2"), "5@4/2": failed, "7@sheet1": skipped("5@2"), "7@sheet1@saved": skipped("5@2") };
  const lost = (/** @type {unknown} */ sent) => Object.fromEntries(lostCells(sent, new Map(/** @type {any} */ (Object.entries(told)))));
  assert.deepEqual(lost(workflow), { "5@2": ["cfg 7", "cfg 9"], "5@4/2": ["cfg 11"] });
  assert.deepEqual(lost({ nodes: {} }), {});
});

test("a problem says which cells are lost by it, of many the first", () => {
  const said = (/** @type {string[]} */ cells) => sentence({ code: "node_failed", node: "5", port: null, message: "too large", cells }, "");
  assert.equal(said([]), "Too large");
  assert.equal(said(["cfg 4", "cfg 7"]), "cfg 4; cfg 7: too large");
  assert.equal(said(["1", "2", "3", "4", "5", "6", "7", "8"]), "1; 2; 3; 4; 5; 6, and 2 more: too large");
});
