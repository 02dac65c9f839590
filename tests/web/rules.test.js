import assert from "node:assert/strict";
import { test } from "node:test";

import { Catalogue } from "../../web/core/catalogue.js";
import { colourOf, TYPE_COLOURS } from "../../web/core/colours.js";
import { candidates, fits, matchingPort, refusal } from "../../web/core/connect.js";
import { Document } from "../../web/core/document.js";
import { NodeIndex } from "../../web/core/search.js";
import { batch, computed, effect, signal } from "../../web/core/store.js";
import { t } from "../../web/core/strings.js";
import { WORDS } from "../../web/core/words.js";
import "./language.js";
import { pipeline, spec, specs } from "./specs.js";

/** @import {PortRef} from "../../web/core/types.js" */

/** @param {string} node @param {string} port @param {"input" | "output"} side @param {string} type @returns {PortRef} */
const ref = (node, port, side, type) => ({ node, port, side, type });

test("types that fit, and those that do not", () => {
  assert.equal(fits("Model", "Model"), true);
  assert.equal(fits("Model", "CLIP"), false);
  assert.equal(fits("int", "float"), true);
  assert.equal(fits("float", "int"), false);
  assert.equal(fits("Any", "Image"), true);
});

test("a refused link says why", () => {
  const document = Document.from(pipeline());
  const latent = ref("3", "latent", "output", "Latent");
  assert.equal(refusal(document, latent, ref("4", "latent", "input", "Latent")), null);
  assert.equal(refusal(document, ref("4", "latent", "input", "Latent"), latent), null, "in either direction");
  assert.equal(refusal(document, latent, ref("2", "clip", "input", "CLIP")), "clip takes CLIP, not Latent.");
  assert.match(String(refusal(document, latent, ref("1", "model", "output", "Model"))), /outputs/);
  assert.match(String(refusal(document, latent, ref("3", "model", "input", "Latent"))), /itself/);
  assert.match(String(refusal(document, latent, ref("1", "file", "input", "Latent"))), /circle/);
});

test("a dragged link finds its port: the exact type first, then what fits", () => {
  const { Sample, Encode, Number } = specs();
  assert.equal(matchingPort(Sample, ref("1", "model", "output", "Model")), "model");
  assert.equal(matchingPort(Sample, ref("9", "number", "output", "int")), "cfg");
  assert.equal(matchingPort(Encode, ref("3", "positive", "input", "Conditioning")), "conditioning");
  assert.equal(matchingPort(Number, ref("3", "positive", "input", "Conditioning")), null);
  assert.deepEqual(candidates(new Catalogue(specs()), ref("3", "latent", "output", "Latent")).map((each) => each.id), ["Reroute", "Show"]);
});

test("search finds by letters in order, prefers starts of words and whole words", () => {
  const found = (/** @type {string} */ query) =>
    new NodeIndex([spec("VAEDecode", [], []), spec("VAEEncode", [], []), spec("ModelMerge", [], []), spec("KSampler", [], []), spec("LoadImage", [], [])], WORDS).find(query).map((each) => each.id);
  assert.equal(found("vd")[0], "VAEDecode");
  assert.equal(found("merge")[0], "ModelMerge");
  assert.equal(found("mm")[0], "ModelMerge");
  assert.equal(found("SAMP")[0], "KSampler");
  assert.deepEqual(found("zzz"), []);
  assert.equal(found("采样")[0], "KSampler", "in Chinese");
  assert.equal(found("open picture")[0], "LoadImage", "by words that mean the same");
  assert.deepEqual(found("vae dec"), ["VAEDecode"], "every word counts");
  assert.equal(found("").length, 5);
  assert.equal(found("test").length, 5, "by category");
});

test("effects run once per batch and only for what they read", () => {
  const [a, b, c] = [signal(1), signal(2), signal(0)];
  /** @type {number[]} */
  const seen = [];
  const stop = effect(() => void seen.push(a.value + b.value));
  c.value = 9;
  batch(() => {
    a.value = 10;
    b.value = 20;
  });
  a.value = 10;
  assert.deepEqual(seen, [3, 30]);
  stop();
  a.value = 0;
  assert.deepEqual(seen, [3, 30]);
});

test("an effect forgets what it no longer reads, and a derived value follows", () => {
  const [which, left, right] = [signal(true), signal("l"), signal("r")];
  let runs = 0;
  const shown = computed(() => {
    runs += 1;
    return which.value ? left.value : right.value;
  });
  which.value = false;
  left.value = "unseen";
  assert.equal(shown.value, "r");
  assert.equal(runs, 2);
});

test("sentences are filled in; what is not given stays visible", () => {
  assert.equal(t("connect.type", { input: "clip", expected: "CLIP", got: "Model" }), "clip takes CLIP, not Model.");
  assert.equal(t("connect.type", { input: "{got}", expected: "$&", got: "<b>" }), "{got} takes $&, not <b>.");
  assert.match(t("connect.type"), /\{input\}/);
});

/** Linear RGB seen by a person who lacks one kind of cone (Viénot, Brettel and Mollon 1999; tritan: Brettel 1997). */
const BLINDNESS = {
  none: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
  deutan: [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
  tritan: [[1.01277, 0.13548, -0.14826], [-0.01243, 0.86812, 0.14431], [0.07589, 0.805, 0.11911]],
};

/** CIE Lab of a colour as someone sees it. @param {string} hex @param {number[][]} matrix @returns {number[]} */
function lab(hex, matrix) {
  const rgb = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const [r, g, b] = matrix.map((row) => Math.min(1, Math.max(0, row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2])));
  const xyz = [(0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505, 0.2126 * r + 0.7152 * g + 0.0722 * b, (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089];
  const [x, y, z] = xyz.map((v) => (v > 0.008856 ? Math.cbrt(v) : 7.787 * v + 16 / 116));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

test("port colours keep apart for every kind of colour vision, in both themes", () => {
  const names = Object.keys(TYPE_COLOURS);
  for (const theme of /** @type {const} */ (["dark", "light"])) {
    for (const [kind, matrix] of Object.entries(BLINDNESS)) {
      for (const [i, a] of names.entries()) {
        for (const b of names.slice(i + 1)) {
          const [p, q] = [lab(TYPE_COLOURS[a][theme], matrix), lab(TYPE_COLOURS[b][theme], matrix)];
          const apart = Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
          assert.ok(apart > 20, `${a} and ${b}, ${theme}, ${kind}: ${apart.toFixed(1)}`);
        }
      }
    }
  }
});

test("a type of a pack has one colour of the same palette, always", () => {
  assert.equal(colourOf("acme.Depth"), colourOf("acme.Depth"));
  assert.ok(Object.values(TYPE_COLOURS).includes(colourOf("acme.Depth")));
  assert.equal(colourOf("constructor").dark.startsWith("#"), true);
});
