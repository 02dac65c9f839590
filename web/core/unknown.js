/** Nodes of a kind that is not here: what their links tell of their ports, and the kinds they are most like. */

import { isComponent, usableIn } from "./components.js";
import { fits } from "./connect.js";
import { linksOf } from "./level.js";
import { likeness } from "./likeness.js";

/** @import {Editor} from "./editor.js" */
/** @import {InputSpec, NodeSpec, OutputSpec} from "./types.js" */

const ANY = "Any";
/** How like in name and ports, of 2, a kind must be to be offered. */
const ENOUGH = 1;

/** The definition of a node; where its kind is unknown, its ports are of the types of what they are linked to, and values fit whatever takes their like. @param {Editor} editor @returns {(id: string) => NodeSpec} */
export const kindOf = (editor) => (id) => {
  const spec = editor.scene.spec(id);
  if (!spec.missing) return spec;
  const inputs = spec.inputs.map((input) => {
    const [link] = linksOf(editor.document.input(id, input.name));
    return { ...input, type: link ? editor.catalogue.typeOf(editor.document, link) : ANY };
  });
  return { ...spec, inputs, outputs: spec.outputs.map((output) => ({ ...output, type: wantedOf(editor, id, output.name) })) };
};

/** The type that all readers of an output want. @param {Editor} editor @param {string} id @param {string} output */
function wantedOf({ document, scene }, id, output) {
  const types = new Set([...document.readers(id)].flatMap((reader) => {
    const reads = linksOf(document.input(reader.id, reader.name)).some((link) => link.node === id && link.output === output);
    const type = scene.spec(reader.id)?.inputs.find((input) => input.name === reader.name)?.type ?? ANY;
    return reads && type !== ANY ? [type] : [];
  }));
  return types.size === 1 ? [...types][0] : ANY;
}

/** The kinds an unknown node is most like, by name and by ports. @param {Editor} editor @param {string} id @returns {NodeSpec[]} */
export function nearestKinds(editor, id) {
  const { catalogue, document } = editor;
  const kind = kindOf(editor)(id);
  const isLinked = (/** @type {InputSpec} */ input) => linksOf(document.input(id, input.name)).length > 0;
  const [linked, values] = [kind.inputs.filter(isLinked), kind.inputs.filter((input) => !isLinked(input))];
  const components = usableIn(document).map((name) => catalogue.specOfComponent(document, name));
  const known = isComponent(kind.id) ? components : [...catalogue.specs.values(), ...components].filter((spec) => spec.category !== "document");
  const points = (/** @type {NodeSpec} */ spec) => {
    const shares = [...linked.map((input) => takes(spec, input)), ...kind.outputs.map((output) => gives(spec, output)), ...values.map((input) => has(spec, input))];
    const name = Math.max(likeness(bare(kind.id), bare(spec.id)), likeness(bare(kind.id), spec.title));
    return name + shares.reduce((sum, share) => sum + share, 0) / (shares.length || 1);
  };
  return known.map((spec) => ({ spec, points: points(spec) })).filter((each) => each.points >= ENOUGH).sort((a, b) => b.points - a.points).map(({ spec }) => spec);
}

/** How well a kind takes what an input is linked to. @param {NodeSpec} spec @param {InputSpec} input @returns {number} */
function takes(spec, { name, type }) {
  if (spec.inputs.some((each) => each.name === name && fits(type, each.type))) return 1;
  return spec.inputs.some((each) => each.type === type) ? 0.8 : 0;
}

/** How well a kind gives what an output is read as. @param {NodeSpec} spec @param {OutputSpec} output @returns {number} */
function gives(spec, { name, type }) {
  if (spec.outputs.some((each) => each.type === type || (each.name === name && fits(each.type, type)))) return 1;
  return spec.outputs.some((each) => fits(each.type, type)) ? 0.5 : 0;
}

/** Whether a kind has a place for a value. @param {NodeSpec} spec @param {InputSpec} input @returns {number} */
const has = (spec, { name }) => (spec.inputs.some((each) => each.name === name && each.widget) ? 1 : 0);

/** A kind without the pack it is of. @param {string} kind */
const bare = (kind) => kind.slice(kind.search(/[^.:]*$/));

/** The pack that a node of an unknown kind is of, as far as it tells, and is not here; "" for none. @param {Editor} editor @param {string} id @returns {{name: string, foreign: boolean}} */
export function packOf({ catalogue, document }, id) {
  const node = document.nodes.get(id);
  if (typeof node?.pack === "string") return { name: node.pack, foreign: true };
  const name = /^([\w-]+)\./.exec(node?.type ?? "")?.[1] ?? "";
  const here = name === "comfy" || [...catalogue.specs.keys()].some((kind) => kind.startsWith(`${name}.`));
  return { name: here ? "" : name, foreign: false };
}
