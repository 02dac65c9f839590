/** Which ports may be joined, and why not. */

import { linksOf } from "./level.js";
import { t } from "./strings.js";

/** @import {Catalogue} from "./catalogue.js" */
/** @import {Document} from "./document.js" */
/** @import {InputSpec, NodeSpec, PortRef} from "./types.js" */

const ANY = "Any";

/** Whether a type is a list. @param {string} type */
const isList = (type) => type.startsWith("list[");

/** What a list is of. @param {string} type */
const itemOf = (type) => type.slice(5, -1);

/** @param {string} from @param {string} to @returns {boolean} */
const fitsOne = (from, to) =>
  from === to || from === ANY || to === ANY || (from === "int" && to === "float") || (isList(from) && isList(to) && fitsOne(itemOf(from), itemOf(to)));

/**
 * Whether a value of one port type fits an input of another. A list fits an input for one of its items, as the node
 * then runs for each; one item fits a list.
 * @param {string} from
 * @param {string} to
 */
export const fits = (from, to) => fitsOne(from, to) || (isList(from) && fitsOne(itemOf(from), to)) || (isList(to) && fitsOne(from, itemOf(to)));

/** Whether an input takes several links. @param {InputSpec} input */
export const takesMany = (input) => isList(input.type) && input.whole !== true;

/**
 * Why two ports cannot be joined; null when they can.
 * @param {Document} document
 * @param {PortRef} a
 * @param {PortRef} b
 * @returns {string | null}
 */
export function refusal(document, a, b) {
  if (a.side === b.side) return t(a.side === "output" ? "connect.twoOutputs" : "connect.twoInputs");
  const [from, to] = a.side === "output" ? [a, b] : [b, a];
  if (from.node === to.node) return t("connect.itself");
  if (!fits(from.type, to.type)) return t("connect.type", { input: to.port, expected: to.type, got: from.type });
  if (reaches(document, from.node, to.node)) return t("connect.cycle");
  return null;
}

/** Nodes that a node's value depends on, itself included. @param {Document} document @param {Iterable<string>} ids */
export function upstream(document, ids) {
  const seen = new Set(ids);
  const open = [...seen];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const value of Object.values(document.nodes.get(next)?.inputs ?? {})) {
      for (const { node } of linksOf(value)) {
        if (seen.has(node) || !document.nodes.has(node)) continue;
        seen.add(node);
        open.push(node);
      }
    }
  }
  return seen;
}

/** Nodes whose value depends on a node, itself included. @param {Document} document @param {Iterable<string>} ids */
export function downstream(document, ids) {
  const seen = new Set(ids);
  const open = [...seen];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const { id } of document.readers(next)) {
      if (seen.has(id)) continue;
      seen.add(id);
      open.push(id);
    }
  }
  return seen;
}

/** Whether a node's value depends on another node. @param {Document} document @param {string} id @param {string} ancestor */
const reaches = (document, id, ancestor) => upstream(document, [id]).has(ancestor);

/**
 * The port of a kind of node that would take a link dragged from `from`; null when it has none.
 * Pure ports come before inputs that have a widget, an exact type before one that merely fits.
 * @param {NodeSpec} spec
 * @param {PortRef} from
 * @returns {string | null}
 */
export function matchingPort(spec, from) {
  if (from.side === "input") {
    const outputs = spec.outputs.filter((output) => fits(output.type, from.type));
    return (outputs.find((output) => output.type === from.type) ?? outputs[0])?.name ?? null;
  }
  const inputs = spec.inputs.filter((input) => fits(from.type, input.type));
  const exact = inputs.filter((input) => input.type === from.type);
  return (exact.find((input) => !input.widget) ?? exact[0] ?? inputs[0])?.name ?? null;
}

/** Kinds of node that could take the link. @param {Catalogue} catalogue @param {PortRef} from @returns {NodeSpec[]} */
export const candidates = (catalogue, from) => [...catalogue.specs.values()].filter((spec) => matchingPort(spec, from) !== null);
