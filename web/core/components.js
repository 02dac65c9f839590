/**
 * Components: parts of a workflow with ports of their own, used as nodes of type "component:NAME". What is changed in
 * one is changed in all its instances. The engine puts their inner nodes in the place of the instance.
 */

import { linksOf } from "./level.js";

/** @import {Catalogue} from "./catalogue.js" */
/** @import {Change, Document} from "./document.js" */
/** @import {InputSpec, NodeData, NodeSpec} from "./types.js" */

const PREFIX = "component:";

/** @param {string} type */
export const isComponent = (type) => type.startsWith(PREFIX);

/** @param {string} type  of an instance */
export const componentName = (type) => type.slice(PREFIX.length);

/** @param {string} name */
export const instanceType = (name) => PREFIX + name;

/**
 * What an instance looks like from outside. An input that is not given keeps the value it has inside.
 * @param {Catalogue} catalogue
 * @param {Document} document
 * @param {string} name
 * @returns {NodeSpec}
 */
export function instanceSpec(catalogue, document, name) {
  const ports = document.components.get(name) ?? { inputs: [], outputs: [] };
  const sheet = document.sheet(name);
  /** @type {Map<string, InputSpec>} */
  const inputs = new Map();
  for (const port of ports.inputs) {
    if (inputs.has(port.name)) continue;
    const inner = sheet.nodes.has(port.node) ? catalogue.specOf(document, port.node, name).inputs.find((input) => input.name === port.input) : undefined;
    const value = sheet.input(port.node, port.input);
    const given = value !== undefined;
    inputs.set(port.name, {
      ...(inner ?? { type: "Any", widget: null, required: false }),
      name: port.name,
      default: given && linksOf(value).length === 0 ? value : inner?.default,
      required: !given && inner?.required === true,
    });
  }
  const outputs = ports.outputs.map((port) => ({ name: port.name, type: catalogue.typeOf(document, { node: port.node, output: port.output }, name) }));
  const sink = [...sheet.nodes.keys()].some((id) => catalogue.specOf(document, id, name).sink);
  return { id: instanceType(name), title: name, category: "component", doc: "", sink, inputs: [...inputs.values()], outputs, component: name };
}

/**
 * The definition of a node whose inputs name components as its body: their further inputs are inputs of the node.
 * @param {Catalogue} catalogue
 * @param {Document} document
 * @param {NodeData} node
 * @param {NodeSpec} spec
 * @returns {NodeSpec}
 */
export function bodySpec(catalogue, document, node, spec) {
  const bodies = spec.inputs.filter((input) => input.widget?.kind === "Component");
  const more = bodies.flatMap(({ name: input, widget }) => {
    const name = /** @type {{component?: unknown} | undefined} */ (node.inputs[input])?.component;
    if (typeof name !== "string" || !document.components.has(name)) return [];
    const gives = new Set([...(widget?.gives ?? []), ...spec.inputs.map((each) => each.name)]);
    return catalogue.specOfComponent(document, name).inputs.filter((each) => !gives.has(each.name));
  });
  return more.length > 0 ? { ...spec, inputs: [...spec.inputs, ...more] } : spec;
}

/** A name that is not taken: "Sharpen", "Sharpen 2"... @param {string} wanted @param {(name: string) => boolean} taken @param {string} between */
export function freeName(wanted, taken, between = " ") {
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}${between}${number}`;
    if (!taken(name)) return name;
  }
}

/** Names of the components a level uses, directly or within others. @param {Document} document @param {Iterable<NodeData>} nodes */
export function usedBy(document, nodes) {
  /** @type {Set<string>} */
  const used = new Set();
  const open = [...nodes];
  for (let node = open.pop(); node; node = open.pop()) {
    const names = [
      ...(isComponent(node.type) ? [componentName(node.type)] : []),
      ...Object.values(node.inputs).flatMap((value) => /** @type {{component?: unknown} | null} */ (value)?.component ?? []),
    ];
    for (const name of names) {
      if (typeof name !== "string" || used.has(name) || !document.components.has(name)) continue;
      used.add(name);
      open.push(...document.sheet(name).nodes.values());
    }
  }
  return used;
}

/** Whether a component may be used on the sheet on the table: not within itself. @param {Document} document @param {string} name */
const mayUse = (document, name) =>
  document.level === "" || (name !== document.level && !usedBy(document, document.sheet(name).nodes.values()).has(document.level));

/** Names of the components that may be used on the sheet on the table. @param {Document} document */
export const usableIn = (document) => [...document.components.keys()].filter((name) => mayUse(document, name));

/** Add a component as saved, under that name. @param {string} name @param {any} definition @returns {Change[]} */
export function addComponent(name, definition) {
  const { nodes = {}, view = {}, ...header } = definition;
  const places = view.nodes ?? {};
  return [
    { kind: "component", id: name, ports: { ...header, inputs: header.inputs ?? [], outputs: header.outputs ?? [] }, level: name },
    ...Object.entries(nodes).map(([id, node]) => /** @type {Change} */ ({ kind: "add", id, node, place: places[id] ?? { x: 0, y: 0 }, level: name })),
    ...Object.entries(view.frames ?? {}).map(([id, frame]) => /** @type {Change} */ ({ kind: "frame", id, frame, level: name })),
  ];
}

/** Forget a component that nothing uses. @param {Document} document @param {string} name @returns {Change[]} */
export function dropComponent(document, name) {
  const sheet = document.sheet(name);
  return [
    { kind: "component", id: name, ports: undefined, level: name },
    ...[...sheet.nodes.keys()].map((id) => /** @type {Change} */ ({ kind: "remove", id, level: name })),
    ...[...sheet.frames.keys()].map((id) => /** @type {Change} */ ({ kind: "frame", id, frame: undefined, level: name })),
  ];
}
