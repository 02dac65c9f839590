/** The ports of components: added and taken away, in all that uses them. */

import { freeName, instanceType } from "./components.js";
import { isLink } from "./level.js";

/** @import {Change, Document} from "./document.js" */
/** @import {ComponentPorts, Link} from "./types.js" */

/** Take ports away from a component and its instances. @param {Document} document @param {string} name @param {Readonly<Record<"inputs" | "outputs", readonly string[]>>} gone @returns {Change[]} */
export function removePorts(document, name, gone) {
  const ports = document.components.get(name);
  if (!ports || gone.inputs.length + gone.outputs.length === 0) return [];
  const fresh = { ...ports, inputs: ports.inputs.filter((port) => !gone.inputs.includes(port.name)), outputs: ports.outputs.filter((port) => !gone.outputs.includes(port.name)) };
  const ends = /** @type {const} */ (["inputs", "outputs"]).flatMap((side) => inInstances(document, name, side, new Map(gone[side].map((port) => [port, null]))));
  return [{ kind: "component", id: name, ports: fresh, level: name }, ...ends];
}

/** Show an input, or an output, of an inner node as a port of its component. @param {Document} document @param {string} name @param {"inputs" | "outputs"} side @param {string} node @param {string} inner @returns {Change[]} */
export function addPort(document, name, side, node, inner) {
  const ports = document.components.get(name);
  if (!ports) return [];
  const field = side === "inputs" ? "input" : "output";
  const known = /** @type {readonly any[]} */ (ports[side]).some((port) => port.node === node && port[field] === inner);
  if (known) return [];
  const port = { name: freeName(inner, (each) => ports[side].some((other) => other.name === each), "_"), node, [field]: inner };
  return [{ kind: "component", id: name, ports: /** @type {ComponentPorts} */ ({ ...ports, [side]: [...ports[side], port] }), level: name }];
}

/**
 * Carry new names of ports, or their end (null), to the instances.
 * @param {Document} document
 * @param {string} name  of the component
 * @param {"inputs" | "outputs"} side
 * @param {ReadonlyMap<string, string | null>} renamed
 * @returns {Change[]}
 */
export function inInstances(document, name, side, renamed) {
  if (renamed.size === 0) return [];
  /** @type {Change[]} */
  const changes = [];
  for (const level of ["", ...document.components.keys()]) {
    const sheet = document.sheet(level);
    for (const [id, node] of sheet.nodes) {
      if (node.type !== instanceType(name)) continue;
      for (const [from, to] of side === "inputs" ? renamed : []) {
        if (!Object.hasOwn(node.inputs, from)) continue;
        changes.push({ kind: "input", id, name: from, value: undefined, level });
        if (to !== null) changes.push({ kind: "input", id, name: to, value: node.inputs[from], level });
      }
      for (const end of side === "outputs" ? sheet.readers(id) : []) {
        const value = relinked(sheet.input(end.id, end.name), (link) => {
          const to = link.node === id ? renamed.get(link.output) : undefined;
          return to === undefined ? link : to === null ? null : { node: id, output: to };
        });
        changes.push({ kind: "input", id: end.id, name: end.name, value, level });
      }
    }
  }
  return [...changes, ...portsFollow(document, name, side, renamed)];
}

/**
 * Parameters of the workflow, and ports of other components, that lead to ports of instances follow them.
 * @param {Document} document
 * @param {string} name
 * @param {"inputs" | "outputs"} side
 * @param {ReadonlyMap<string, string | null>} renamed
 * @returns {Change[]}
 */
function portsFollow(document, name, side, renamed) {
  const field = side === "inputs" ? "input" : "output";
  const follow = (/** @type {string} */ level, /** @type {readonly any[]} */ ports) => {
    const led = ports.map((port) => {
      const to = document.sheet(level).nodes.get(port.node)?.type === instanceType(name) ? renamed.get(port[field]) : undefined;
      return to === undefined ? port : to === null ? null : { ...port, [field]: to };
    });
    return led.some((port, at) => port !== ports[at]) ? led.filter((port) => port !== null) : null;
  };
  const shown = side === "inputs" ? follow("", document.interface) : null;
  const outer = [...document.components].flatMap(([other, ports]) => {
    const led = follow(other, ports[side]);
    if (!led) return [];
    const left = new Set(led.map((port) => port.name));
    const gone = new Map(ports[side].filter((port) => !left.has(port.name)).map((port) => [port.name, null]));
    return [/** @type {Change} */ ({ kind: "component", id: other, ports: { ...ports, [side]: led }, level: other }), ...inInstances(document, other, side, gone)];
  });
  return [...(shown ? [/** @type {Change} */ ({ kind: "interface", ports: shown })] : []), ...outer];
}

/** A value with its links changed; null takes one away. @param {unknown} value @param {(link: Link) => Link | null} change */
export function relinked(value, change) {
  if (isLink(value)) return change(value) ?? undefined;
  if (!Array.isArray(value)) return value;
  const left = value.flatMap((item) => (isLink(item) ? (change(item) ?? []) : [item]));
  return left.length === 0 && value.length > 0 ? undefined : left;
}
