/** Node definitions for the tests of the core, in the shape the server sends. */

/** @import {InputSpec, NodeSpec, Widget} from "../../web/core/types.js" */

/** @param {string} name @param {string} type @param {Widget | null} widget @param {unknown} value @returns {InputSpec} */
export const input = (name, type, widget = null, value = undefined) => ({ name, type, widget, default: value, required: value === undefined });

/** @param {string} id @param {InputSpec[]} inputs @param {[string, string][]} outputs @returns {NodeSpec} */
export const spec = (id, inputs, outputs) => ({
  id, title: id, category: "test", doc: "", sink: outputs.length === 0, inputs, outputs: outputs.map(([name, type]) => ({ name, type })),
});

/** @returns {Record<string, NodeSpec>} */
export const specs = () =>
  Object.fromEntries(
    [
      spec("Loader", [input("file", "str", { kind: "Choice", options: ["a", "b"] }, "a")], [["model", "Model"], ["clip", "CLIP"]]),
      spec("Encode", [input("clip", "CLIP"), input("text", "str", { kind: "Text", multiline: true }, "")], [["conditioning", "Conditioning"]]),
      spec(
        "Sample",
        [input("model", "Model"), input("positive", "Conditioning"), input("cfg", "float", { kind: "Slider", min: 0, max: 30, step: 0.5 }, 7)],
        [["latent", "Latent"]],
      ),
      spec("Number", [input("value", "int", { kind: "Slider", min: 0, max: 9, step: 1 }, 1)], [["number", "int"]]),
      spec("Show", [input("latent", "Latent")], []),
    ].map((each) => [each.id, each]),
  );

/** Loader -> Encode -> Sample -> Show, the loader also into Sample. */
export const pipeline = () => ({
  version: 1,
  nodes: {
    1: { type: "Loader", inputs: { file: "a" } },
    2: { type: "Encode", inputs: { clip: { node: "1", output: "clip" }, text: "an owl" } },
    3: { type: "Sample", inputs: { model: { node: "1", output: "model" }, positive: { node: "2", output: "conditioning" }, cfg: 7 } },
    4: { type: "Show", inputs: { latent: { node: "3", output: "latent" } } },
  },
  view: { nodes: { 1: { x: 0, y: 0 }, 2: { x: 300, y: 0 }, 3: { x: 700, y: 0 }, 4: { x: 1000, y: 0 } } },
});

/** A seeded generator of numbers in 0..1 (mulberry32). @param {number} seed */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}
