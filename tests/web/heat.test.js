/** Maps of tokens joined to maps of words, and which pictures they belong to. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { coloured, placeOf, recorderOf, wordsOf } from "../../web/core/heat.js";

/** @param {readonly number[]} bytes */
const packed = (bytes) => btoa(String.fromCharCode(...bytes));

/** One picture of two cells, a map for each token. @param {string} text @param {readonly (readonly [number, number])[]} tokens @param {readonly number[]} peaks @param {readonly number[]} bytes */
const viewOf = (text, tokens, peaks, bytes) => ({ text, tokens, pictures: [{ width: 2, height: 1, peaks, maps: packed(bytes) }] });

/** @param {Float32Array} map */
const rounded = (map) => [...map].map((value) => Number(value.toFixed(4)));

test("a word's map is the mean of all tokens that say it, wherever it stands", () => {
  // "light" + "house", a comma that is no word, and the word again, written otherwise.
  const view = viewOf("light house , Lighthouse ", [[0, 5], [5, 12], [12, 14], [14, 19], [19, 25]], [0.4, 0.2, 0.9, 0.1, 0.3], [255, 0, 0, 255, 255, 255, 255, 255, 255, 255]);
  const joined = wordsOf({ ...view, text: "lighthouse  , Lighthouse " }, 0, "en");
  assert.deepEqual(joined.map(({ text }) => text), ["lighthouse"]);
  assert.ok(Math.abs(joined[0].peak - (0.4 + 0.1 + 0.3) / 4) < 1e-6);
  assert.deepEqual(rounded(joined[0].map), [1, Number(((0.2 + 0.1 + 0.3) / 0.8).toFixed(4))]);
  assert.deepEqual(wordsOf(view, 0, "en").map(({ text }) => text), ["light", "house", "lighthouse"]);
});

test("what is written without spaces falls into words, and tokens that are parts of letters count for theirs", () => {
  const view = viewOf("熊猫和 fox ", [[0, 1], [0, 1], [1, 2], [2, 3], [4, 8]], [0.1, 0.3, 0.2, 0.5, 0.6], [255, 0, 255, 0, 255, 0, 0, 255, 0, 255]);
  const words = wordsOf(view, 0, "zh");
  assert.deepEqual(words.map(({ text }) => text), ["熊猫", "和", "fox"]);
  assert.ok(Math.abs(words[0].peak - 0.2) < 1e-6);
  assert.deepEqual(rounded(words[2].map), [0, 1]);
});

test("a map without any attention stays dark", () => {
  const [word] = wordsOf(viewOf("a ", [[0, 2]], [0], [0, 0]), 0, "en");
  assert.deepEqual([...word.map], [0, 0]);
});

test("colours go from dark to bright and are opaque", () => {
  const pixels = coloured(Float32Array.from([0, 0.125, 1]));
  assert.deepEqual([...pixels], [68, 1, 84, 255, 71, 44, 122, 255, 253, 231, 37, 255]);
  const brightness = (/** @type {number} */ value) => [...coloured(Float32Array.from([value]))].slice(0, 3).reduce((sum, level, channel) => sum + level * [0.2126, 0.7152, 0.0722][channel], 0);
  for (let step = 1; step <= 20; step++) assert.ok(brightness(step / 20) > brightness((step - 1) / 20));
});

test("the maps of a picture are those of the latents it was made of", () => {
  const link = (/** @type {string} */ node) => ({ node, output: "x" });
  const node = (/** @type {string} */ type, /** @type {Record<string, unknown>} */ inputs) => ({ type, inputs });
  const nodes = {
    1: node("KSampler", {}), 2: node("KSampler", {}), 3: node("VAEDecode", { latent: link("1") }), 4: node("SaveImage", { image: link("3") }),
    5: node("AttentionView", { latent: link("2") }), 6: node("AttentionView", { latent: link("1") }), 7: node("SaveImage", { image: link("8") }), 8: node("ImageBatch", { images: [link("3"), link("2")] }),
  };
  assert.equal(recorderOf({ nodes }, "4"), "6");
  assert.equal(recorderOf({ nodes }, "7"), null, "a sheet of several");
  assert.equal(recorderOf({ nodes: { ...nodes, 6: node("AttentionMaps", { latent: link("1") }) } }, "4"), null);
  assert.equal(recorderOf({ nodes }, "4@2"), "6");
});

test("a picture that was cut or put together is none of those recorded", () => {
  const view = viewOf("a ", [[0, 2]], [1], [255, 0]);
  const file = (/** @type {string} */ url, /** @type {number} */ width, /** @type {number} */ height) => ({ name: url, url, media_type: "image/png", width, height });
  assert.equal(placeOf(view, [file("a", 256, 128)], file("a", 256, 128)), 0);
  assert.equal(placeOf(view, [file("a", 128, 128)], file("a", 128, 128)), -1);
  assert.equal(placeOf(view, [file("a", 256, 128), file("b", 256, 128)], file("b", 256, 128)), -1);
  assert.equal(placeOf(view, [file("a", 256, 128)], file("b", 256, 128)), -1);
});
