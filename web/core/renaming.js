/** Other names for components and their ports, in all that uses them. */

import { addComponent, dropComponent, freeName, instanceType } from "./components.js";
import { inInstances } from "./ports.js";

/** @import {Change, Document} from "./document.js" */
/** @import {ComponentPorts} from "./types.js" */

/**
 * Give a port of a component another name, in it and in all its instances.
 * @param {Document} document
 * @param {string} name  of the component
 * @param {"inputs" | "outputs"} side
 * @param {string} from
 * @param {string} wanted
 * @returns {Change[]}
 */
export function renamePort(document, name, side, from, wanted) {
  const ports = document.components.get(name);
  if (!ports || wanted === "" || wanted === from) return [];
  const to = freeName(wanted, (each) => ports[side].some((port) => port.name === each), "_");
  const fresh = { ...ports, [side]: ports[side].map((port) => (port.name === from ? { ...port, name: to } : port)) };
  return [{ kind: "component", id: name, ports: /** @type {ComponentPorts} */ (fresh), level: name }, ...inInstances(document, name, side, new Map([[from, to]]))];
}

/**
 * Give a component another name everywhere.
 * @param {Document} document
 * @param {string} from
 * @param {string} wanted
 * @returns {{changes: Change[], to: string}} and the name it got
 */
export function renameComponent(document, from, wanted) {
  const to = freeName(wanted.trim(), (each) => each !== from && document.components.has(each));
  if (to === "" || to === from) return { changes: [], to: from };
  const changes = [...addComponent(to, document.component(from)), ...dropComponent(document, from)];
  for (const level of ["", ...document.components.keys()]) {
    const target = level === from ? to : level;
    for (const [id, node] of document.sheet(level).nodes) {
      if (node.type === instanceType(from)) changes.push({ kind: "field", id, name: "type", value: instanceType(to), level: target });
      for (const [input, value] of Object.entries(node.inputs)) {
        if (/** @type {{component?: unknown} | null} */ (value)?.component === from) changes.push({ kind: "input", id, name: input, value: { component: to }, level: target });
      }
    }
  }
  return { changes, to };
}
