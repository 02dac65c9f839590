/** The interface of a workflow: inputs of its nodes that forms, the command line and the API set, by name and in order. */

import { freeName } from "./components.js";

/** @import {Change, Document} from "./document.js" */
/** @import {InterfacePort} from "./types.js" */

/** The place of a node's input in the interface; -1 when it is not there. @param {Document} document @param {string} node @param {string} input */
export const indexOf = (document, node, input) => document.interface.findIndex((port) => port.node === node && port.input === input);

/** Show an input in the interface. @param {Document} document @param {string} node @param {string} input @returns {Change[]} */
export function promote(document, node, input) {
  if (indexOf(document, node, input) >= 0) return [];
  const name = freeName(input, (each) => document.interface.some((port) => port.name === each), "_");
  return set([...document.interface, { name, node, input }]);
}

/** Take an input out of the interface. @param {Document} document @param {string} node @param {string} input @returns {Change[]} */
export function demote(document, node, input) {
  const left = document.interface.filter((port) => port.node !== node || port.input !== input);
  return left.length === document.interface.length ? [] : set(left);
}

/**
 * Give a parameter another name. One that is taken by another makes the two one parameter, which sets both inputs.
 * @param {Document} document
 * @param {number} index
 * @param {string} name
 * @returns {Change[]}
 */
export function rename(document, index, name) {
  if (name === "" || document.interface[index]?.name === name) return [];
  return set(document.interface.map((port, at) => (at === index ? { ...port, name } : port)));
}

/** Move a parameter to another place in the order. @param {Document} document @param {number} from @param {number} to @returns {Change[]} */
export function move(document, from, to) {
  const ports = [...document.interface];
  const [port] = ports.splice(from, 1);
  if (!port || from === to) return [];
  ports.splice(to, 0, port);
  return set(ports);
}

/** What leads to nodes that are to be taken away goes with them. @param {Document} document @param {ReadonlySet<string>} gone @returns {Change[]} */
export function withoutNodes(document, gone) {
  if (document.level !== "" || !document.interface.some((port) => gone.has(port.node))) return [];
  return set(document.interface.filter((port) => !gone.has(port.node)));
}

/** @param {readonly InterfacePort[]} ports @returns {Change[]} */
const set = (ports) => [{ kind: "interface", ports }];
