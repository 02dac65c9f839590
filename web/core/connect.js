/** Which ports may be joined, and why not. */

import { isLink } from "./document.js";
import { t } from "./strings.js";

/** @import {Catalogue} from "./catalogue.js" */
/** @import {Document} from "./document.js" */
/** @import {NodeSpec, PortRef} from "./types.js" */

const ANY = "Any";

/** Whether a value of one port type fits an input of another. @param {string} from @param {string} to */
export const fits = (from, to) => from === to || from === ANY || to === ANY || (from === "int" && to === "float");

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

/** Whether a node's value depends on another node. @param {Document} document @param {string} id @param {string} ancestor */
function reaches(document, id, ancestor) {
  const seen = new Set([id]);
  const open = [id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === ancestor) return true;
    for (const value of Object.values(document.nodes.get(next)?.inputs ?? {})) {
      if (isLink(value) && !seen.has(value.node)) {
        seen.add(value.node);
        open.push(value.node);
      }
    }
  }
  return false;
}

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
