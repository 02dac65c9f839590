/** What can be done about a problem at once: each fix says what it does and is a list of Changes. */

import { candidates, fits } from "./connect.js";
import { isLink, linksOf } from "./document.js";
import * as edits from "./edits.js";
import { likeness } from "./likeness.js";
import { portLabel } from "./naming.js";
import { forgotten } from "./removal.js";
import { t } from "./strings.js";
import { sweepsOf, withSweep } from "./sweep.js";
import { kindOf, nearestKinds } from "./unknown.js";

/** @import {Change} from "./document.js" */
/** @import {Editor} from "./editor.js" */
/** @import {InputSpec, Problem} from "./types.js" */
/** @typedef {{label: string, changes: Change[]}} Fix */

const MOST = 3;
const ASIDE = 320;
const NEAREST = /did you mean '(.*)'\?/;

/** @param {Problem} problem @param {Editor} editor @returns {Fix[]} */
export function fixesFor(problem, editor) {
  const { node: id, port } = problem;
  if (id === null || !editor.document.nodes.has(id)) return [];
  if (problem.code === "unknown_node") return kindFixes(editor, id);
  const spec = editor.scene.spec(id);
  const input = spec.inputs.find((each) => each.name === port);
  const nearest = NEAREST.exec(problem.hint ?? "")?.[1];
  if (problem.code === "unknown_input" && port !== null) {
    const value = editor.document.input(id, port);
    const renamed = nearest ? [{ label: t("fix.rename", { name: nearest }), changes: [...edits.setInput(id, port, undefined), ...edits.setInput(id, nearest, value)] }] : [];
    return [...renamed, { label: t("fix.drop", { name: port }), changes: edits.setInput(id, port, undefined) }];
  }
  if (!input || port === null) return [];
  const swept = editor.document.nodes.get(id);
  if (Object.hasOwn(sweepsOf(swept), port)) return [{ label: t("sweep.clear", { label: portLabel(port) }), changes: [{ kind: "field", id, name: "sweep", value: withSweep(swept, port, "") }] }];
  const constant = linksOf(editor.document.input(id, port)).length === 0 && input.widget;
  if (problem.code === "bad_value" || (constant && /^(missing_input|wrong_type)$/.test(problem.code))) return valueFixes(editor, id, input, nearest);
  if (problem.code === "missing_input") return linkFixes(editor, id, input);
  if (problem.code === "unknown_output" && nearest) {
    const link = editor.document.input(id, port);
    if (isLink(link)) return [{ label: t("fix.output", { name: nearest }), changes: edits.link({ node: link.node, output: nearest }, id, port) }];
  }
  if (problem.code === "wrong_type") return [...castFixes(editor, id, input), unlinkFix(editor, id, port)];
  if (problem.code === "missing_link" || problem.code === "unknown_output" || problem.code === "cycle") return [unlinkFix(editor, id, port)];
  return [];
}

/** The kinds an unknown node is most like, its links and values kept where they fit; or none in its place. @param {Editor} editor @param {string} id @returns {Fix[]} */
function kindFixes(editor, id) {
  const { document } = editor;
  const kind = kindOf(editor);
  const near = nearestKinds(editor, id).slice(0, MOST);
  const gone = new Set([id]);
  return [
    ...near.map((spec) => ({ label: t("fix.replace", { title: spec.title }), changes: edits.swapType(document, id, kind, spec) })),
    { label: t("action.deleteKeep"), changes: [...edits.removeKeepingFlow(document, kind, gone), ...forgotten(document, gone)] },
  ];
}

/** @param {Editor} editor @param {string} id @param {InputSpec} input @param {string | undefined} nearest @returns {Fix[]} */
function valueFixes(editor, id, input, nearest) {
  const value = editor.document.input(id, input.name);
  /** @type {unknown[]} */
  const values = [];
  const { min, max } = input.widget ?? {};
  if (typeof value === "number" && min !== undefined && max !== undefined) values.push(Math.min(max, Math.max(min, input.type === "int" ? Math.round(value) : value)));
  const options = editor.catalogue.options(input);
  if (nearest !== undefined && (options.length === 0 || options.includes(nearest))) values.push(nearest);
  values.push(...closest(String(value ?? ""), options.map(String)));
  if (input.default !== undefined && input.default !== null) values.push(input.default);
  const offered = [...new Set(values)].filter((each) => each !== value).slice(0, MOST);
  return offered.map((each) => ({ label: t("fix.use", { value: String(each) }), changes: edits.setInput(id, input.name, each) }));
}

/** Options that have most letter pairs in common with what was asked for. @param {string} wanted @param {readonly string[]} options */
function closest(wanted, options) {
  return options.map((option) => ({ option, score: likeness(wanted, option) })).sort((a, b) => b.score - a.score).slice(0, 2).map(({ option }) => option);
}

/** An output that is there already and fits, the nearest one; else a node to add that has one. @param {Editor} editor @param {string} id @param {InputSpec} input @returns {Fix[]} */
function linkFixes(editor, id, input) {
  const { document, scene } = editor;
  const here = document.places.get(id) ?? { x: 0, y: 0 };
  const ref = { node: id, port: input.name, side: /** @type {const} */ ("input"), type: input.type };
  const sources = [...document.nodes.keys()].flatMap((other) => {
    if (other === id || readsFrom(editor, other, id)) return [];
    const output = scene.spec(other).outputs.find((each) => each.type === input.type);
    const place = document.places.get(other) ?? { x: 0, y: 0 };
    return output ? [{ other, output: output.name, far: Math.hypot(place.x - here.x, place.y - here.y) }] : [];
  });
  const linked = sources.sort((a, b) => a.far - b.far).slice(0, 2).map(({ other, output }) => ({
    label: t("fix.link", { title: titleOf(editor, other) }),
    changes: edits.link({ node: other, output }, id, input.name),
  }));
  const specs = candidates(editor.catalogue, ref).filter((spec) => spec.outputs.some((output) => output.type === input.type));
  const simple = specs.sort((a, b) => needs(a) - needs(b)).slice(0, MOST - linked.length);
  const fresh = document.freeId();
  return [...linked, ...simple.map((spec) => ({
    label: t("fix.add", { title: spec.title }),
    changes: [
      ...edits.addNode(fresh, spec, { x: here.x - ASIDE, y: here.y }),
      ...edits.link({ node: fresh, output: /** @type {{name: string}} */ (spec.outputs.find((output) => output.type === input.type)).name }, id, input.name),
    ],
  }))];
}

/** How many inputs of a kind of node have to be linked before it runs. @param {import("./types.js").NodeSpec} spec */
const needs = (spec) => spec.inputs.filter((input) => input.required && !input.widget).length;

/** A node that makes of what comes what is wanted, put in between. @param {Editor} editor @param {string} id @param {InputSpec} input @returns {Fix[]} */
function castFixes(editor, id, input) {
  const link = editor.document.input(id, input.name);
  if (!isLink(link) || !editor.document.nodes.has(link.node)) return [];
  const from = editor.scene.spec(link.node).outputs.find((output) => output.name === link.output)?.type;
  if (from === undefined) return [];
  const other = editor.scene.spec(link.node).outputs.find((output) => output.type === input.type);
  const direct = other ? [{ label: t("fix.output", { name: other.name }), changes: edits.link({ node: link.node, output: other.name }, id, input.name) }] : [];
  const here = editor.document.places.get(id) ?? { x: 0, y: 0 };
  const fresh = editor.document.freeId();
  const casts = [...editor.catalogue.specs.values()].flatMap((spec) => {
    const [into, out] = [spec.inputs.find((each) => each.type === from), spec.outputs.find((each) => fits(each.type, input.type) && each.type !== "Any")];
    return into && out ? [{ spec, into: into.name, out: out.name }] : [];
  });
  const best = casts.sort((a, b) => needs(a.spec) - needs(b.spec) || a.spec.inputs.length - b.spec.inputs.length).slice(0, 2);
  return [...direct, ...best.map(({ spec, into, out }) => ({
    label: t("fix.between", { title: spec.title }),
    changes: [
      ...edits.addNode(fresh, spec, { x: here.x - ASIDE, y: here.y }),
      ...edits.link(link, fresh, into),
      ...edits.link({ node: fresh, output: out }, id, input.name),
    ],
  }))];
}

/** @param {Editor} editor @param {string} id @param {string} port @returns {Fix} */
const unlinkFix = (editor, id, port) => ({ label: t("fix.unlink"), changes: edits.unlink(id, port, editor.scene.spec(id)) });

/** @param {Editor} editor @param {string} id */
const titleOf = (editor, id) => String(editor.document.nodes.get(id)?.title ?? editor.scene.spec(id).title);

/** Whether a node depends on another. @param {Editor} editor @param {string} id @param {string} on */
function readsFrom(editor, id, on) {
  const seen = new Set([id]);
  for (const each of seen) {
    if (each === on) return true;
    for (const value of Object.values(editor.document.nodes.get(each)?.inputs ?? {}).flat()) if (isLink(value)) seen.add(value.node);
  }
  return false;
}
