/** Making a component of some nodes, and putting its nodes back in its place. */

import { REROUTE } from "./catalogue.js";
import { componentName, dropComponent, freeName, instanceType, isComponent } from "./components.js";
import { BadDocument } from "./document.js";
import { framesCarriedBy } from "./frames.js";
import { linksOf } from "./level.js";
import { relinked } from "./ports.js";

/** @import {Change, Document} from "./document.js" */
/** @import {Frame, InputPort, Link, NodeData, OutputPort, Place, Point} from "./types.js" */

/**
 * Make a component of nodes of the sheet on the table, and an instance of it in their place. Links across the border
 * become ports, one for each output outside that is read, and one for each output inside that is read from outside.
 * Frames that carry nothing else go inside.
 * @param {Document} document
 * @param {Iterable<string>} ids
 * @param {string} wanted  its name, if it is free
 * @returns {{changes: Change[], id: string, name: string}}
 */
export function makeComponent(document, ids, wanted) {
  const inside = new Set([...ids].filter((id) => document.nodes.has(id)));
  if (inside.size === 0) throw new BadDocument("A component is made of at least one node.");
  const name = freeName(wanted, (each) => document.components.has(each));
  const id = document.freeId();
  const border = readBorder(document, inside);
  const { level } = document;
  const frames = new Map(framesCarriedBy(document, inside).map((frame) => [frame, frame]));
  /** @type {Change[]} */
  const inner = [...inside].map((each) => {
    const node = /** @type {NodeData} */ (document.nodes.get(each));
    const inputs = { ...node.inputs, ...border.replaced.get(each) };
    const kept = Object.fromEntries(Object.entries(inputs).filter(([, value]) => value !== undefined));
    return { kind: "add", id: each, node: { ...node, inputs: kept }, place: reframed(document.places.get(each) ?? { x: 0, y: 0 }, frames), level: name };
  });
  const homes = new Set([...inside].map((each) => homeOf(document, each, frames)));
  const [home] = homes.size === 1 ? homes : [undefined];
  const outs = outputsOf(document, inside);
  /** @type {Change[]} */
  const readers = outs.ends.map((end) => ({
    kind: "input",
    id: end.id,
    name: end.name,
    value: relinked(document.input(end.id, end.name), (link) => {
      const port = outs.ports.find((each) => each.node === link.node && each.output === link.output);
      return port ? { node: id, output: port.name } : link;
    }),
    level,
  }));
  const led = retargeted(document, inside, id, border.ports, outs.ports);
  const place = { ...corner([...inside].map((each) => document.places.get(each) ?? { x: 0, y: 0 })), ...(home === undefined ? {} : { frame: home }) };
  return {
    name,
    id,
    changes: [
      { kind: "component", id: name, ports: { inputs: border.ports, outputs: outs.ports }, level: name },
      ...inner,
      ...border.reroutes.map((change) => ({ ...change, level: name })),
      ...readers,
      ...[...inside].map((each) => /** @type {Change} */ ({ kind: "remove", id: each, level })),
      ...[...frames.keys()].flatMap((each) => {
        const frame = reframed(/** @type {Frame} */ (document.frames.get(each)), frames);
        return /** @type {Change[]} */ ([{ kind: "frame", id: each, frame, level: name }, { kind: "frame", id: each, frame: undefined, level }]);
      }),
      { kind: "add", id, node: { type: instanceType(name), inputs: border.given }, place, level },
      ...led,
    ],
  };
}

/**
 * A place, or a frame, in the frame that stands for the one it was in.
 * @template {Place | Frame} T
 * @param {T} thing
 * @param {ReadonlyMap<string, string>} frames
 * @param {string} [otherwise]
 * @returns {T}
 */
function reframed({ frame: was, ...rest }, frames, otherwise) {
  const frame = (was === undefined ? undefined : frames.get(was)) ?? otherwise;
  return /** @type {T} */ (frame === undefined ? rest : { ...rest, frame });
}

/** The frame that a node stays in when others go. @param {Document} document @param {string} id @param {ReadonlyMap<string, string>} gone */
function homeOf(document, id, gone) {
  let at = document.places.get(id)?.frame;
  for (let hops = 0; at !== undefined && gone.has(at) && hops <= gone.size; hops++) at = document.frames.get(at)?.frame;
  return at;
}

/**
 * The ports that links into some nodes become. A list that mixes links from both sides gets a reroute inside.
 * @param {Document} document
 * @param {ReadonlySet<string>} inside
 */
function readBorder(document, inside) {
  /** @type {InputPort[]} */
  const ports = [];
  /** @type {Record<string, unknown>} */
  const given = {};
  /** @type {Map<string, Record<string, unknown>>} */
  const replaced = new Map();
  /** @type {Change[]} */
  const reroutes = [];
  /** @type {Map<string, string>} */
  const names = new Map();
  let next = Number(document.freeId());
  const portFor = (/** @type {unknown} */ value, /** @type {string} */ wanted) => {
    const key = JSON.stringify(value);
    const known = names.get(key);
    if (known !== undefined) return known;
    const port = freeName(wanted, (each) => Object.hasOwn(given, each), "_");
    names.set(key, port);
    given[port] = value;
    return port;
  };
  for (const id of inside) {
    const place = document.places.get(id) ?? { x: 0, y: 0 };
    for (const [input, value] of Object.entries(document.nodes.get(id)?.inputs ?? {})) {
      const links = linksOf(value);
      const outer = links.filter((link) => !inside.has(link.node));
      if (outer.length === 0) continue;
      const held = replaced.get(id) ?? {};
      replaced.set(id, held);
      if (outer.length === links.length) {
        held[input] = undefined;
        ports.push({ name: portFor(value, input), node: id, input });
      } else {
        held[input] = relinked(value, (link) => {
          if (inside.has(link.node)) return link;
          const reroute = String(next++);
          const at = { x: place.x - 96, y: place.y + 40 * reroutes.length };
          reroutes.push({ kind: "add", id: reroute, node: { type: REROUTE, inputs: {} }, place: at });
          ports.push({ name: portFor(link, input), node: reroute, input: "value" });
          return { node: reroute, output: "value" };
        });
      }
    }
  }
  return { ports, given, replaced, reroutes };
}

/** @param {Document} document @param {ReadonlySet<string>} inside */
function outputsOf(document, inside) {
  /** @type {OutputPort[]} */
  const ports = [];
  /** @type {{id: string, name: string}[]} */
  const ends = [];
  for (const id of inside) {
    for (const end of document.readers(id)) {
      if (inside.has(end.id)) continue;
      if (!ends.some((each) => each.id === end.id && each.name === end.name)) ends.push(end);
      for (const link of linksOf(document.input(end.id, end.name))) {
        if (link.node !== id || ports.some((port) => port.node === id && port.output === link.output)) continue;
        ports.push({ name: freeName(link.output, (each) => ports.some((port) => port.name === each), "_"), node: id, output: link.output });
      }
    }
  }
  return { ports, ends };
}

/**
 * What from outside the sheet leads to nodes that moved into a component leads to ports of its instance.
 * @param {Document} document
 * @param {ReadonlySet<string>} inside
 * @param {string} id
 * @param {InputPort[]} inputs  of the component; more are added
 * @param {OutputPort[]} outputs
 * @returns {Change[]}
 */
function retargeted(document, inside, id, inputs, outputs) {
  const input = (/** @type {InputPort} */ port) => {
    const known = inputs.find((each) => each.node === port.node && each.input === port.input);
    const name = known?.name ?? freeName(port.input, (each) => inputs.some((other) => other.name === each), "_");
    if (!known) inputs.push({ name, node: port.node, input: port.input });
    return name;
  };
  const output = (/** @type {OutputPort} */ port) => {
    const known = outputs.find((each) => each.node === port.node && each.output === port.output);
    const name = known?.name ?? freeName(port.output, (each) => outputs.some((other) => other.name === each), "_");
    if (!known) outputs.push({ name, node: port.node, output: port.output });
    return name;
  };
  return redirected(document, {
    input: (port) => [inside.has(port.node) ? { ...port, node: id, input: input(port) } : port],
    output: (port) => [inside.has(port.node) ? { ...port, node: id, output: output(port) } : port],
  });
}

/**
 * Lead the interface of the workflow, or the ports of the component on the table, elsewhere.
 * @param {Document} document
 * @param {{input: (port: InputPort) => InputPort[], output: (port: OutputPort) => OutputPort[]}} lead
 * @returns {Change[]}
 */
function redirected(document, lead) {
  const { level } = document;
  const differs = (/** @type {readonly unknown[]} */ before, /** @type {readonly unknown[]} */ after) => before.length !== after.length || before.some((port, at) => port !== after[at]);
  const ports = document.components.get(level);
  if (!ports) {
    const shown = document.interface.flatMap(lead.input);
    return differs(document.interface, shown) ? [{ kind: "interface", ports: shown }] : [];
  }
  const fresh = { ...ports, inputs: ports.inputs.flatMap(lead.input), outputs: ports.outputs.flatMap(lead.output) };
  return differs(ports.inputs, fresh.inputs) || differs(ports.outputs, fresh.outputs) ? [{ kind: "component", id: level, ports: fresh, level }] : [];
}

/**
 * Put the nodes of a component in the place of an instance of it. The component stays while other instances use it.
 * @param {Document} document
 * @param {string} instance
 * @returns {{changes: Change[], ids: string[]}}
 */
export function unpack(document, instance) {
  const node = document.nodes.get(instance);
  const ports = node && isComponent(node.type) ? document.components.get(componentName(node.type)) : undefined;
  if (!node || !ports) throw new BadDocument(`Node ${instance} is no instance of a component.`);
  const { level } = document;
  const name = componentName(node.type);
  const sheet = document.sheet(name);
  let next = Number(document.freeId());
  const ids = new Map([...sheet.nodes.keys()].map((id) => [id, String(next++)]));
  const at = document.places.get(instance) ?? { x: 0, y: 0 };
  const from = corner([...sheet.places.values()]);
  const free = document.sheet(level).freeFrameIds(sheet.frames.size);
  const frames = new Map([...sheet.frames.keys()].map((id, index) => [id, free[index]]));
  const put = (/** @type {Place | Frame} */ thing) => reframed({ ...thing, x: thing.x - from.x + at.x, y: thing.y - from.y + at.y }, frames, at.frame);
  const renamed = (/** @type {Link} */ link) => ({ node: ids.get(link.node) ?? link.node, output: link.output });
  const givenTo = (/** @type {string} */ id) =>
    ports.inputs.filter((port) => port.node === id && Object.hasOwn(node.inputs, port.name)).map((port) => [port.input, node.inputs[port.name]]);
  /** @type {Change[]} */
  const added = [...sheet.nodes].map(([id, inner]) => {
    const inputs = { ...Object.fromEntries(Object.entries(inner.inputs).map(([input, value]) => [input, relinked(value, renamed)])), ...Object.fromEntries(givenTo(id)) };
    const mode = node.mode !== undefined ? { mode: node.mode } : {};
    return {
      kind: "add",
      id: /** @type {string} */ (ids.get(id)),
      node: { ...inner, ...mode, inputs },
      place: put(sheet.places.get(id) ?? { x: 0, y: 0 }),
      level,
    };
  });
  const framed = [...sheet.frames].map(([id, frame]) => /** @type {Change} */ ({ kind: "frame", id: frames.get(id), frame: put(frame), level }));
  /** @type {Change[]} */
  const readers = [...document.readers(instance)].map((end) => ({
    kind: "input",
    id: end.id,
    name: end.name,
    value: relinked(document.input(end.id, end.name), (link) => {
      const port = link.node === instance ? ports.outputs.find((each) => each.name === link.output) : undefined;
      return port ? { node: /** @type {string} */ (ids.get(port.node)), output: port.output } : link;
    }),
    level,
  }));
  const shown = redirected(document, {
    input: (port) => (port.node === instance ? ports.inputs.filter((each) => each.name === port.input).map((each) => ({ ...port, node: ids.get(each.node) ?? each.node, input: each.input })) : [port]),
    output: (port) => (port.node === instance ? ports.outputs.filter((each) => each.name === port.output).map((each) => ({ ...port, node: ids.get(each.node) ?? each.node, output: each.output })) : [port]),
  });
  const gone = countInstances(document, name) === 1 ? dropComponent(document, name) : [];
  return { changes: [...added, ...framed, ...readers, { kind: "remove", id: instance, level }, ...shown, ...gone], ids: [...ids.values()] };
}

/** @param {Document} document @param {string} name */
function countInstances(document, name) {
  let count = 0;
  for (const level of ["", ...document.components.keys()]) {
    for (const node of document.sheet(level).nodes.values()) {
      if (node.type === instanceType(name)) count += 1;
      for (const value of Object.values(node.inputs)) if (/** @type {{component?: unknown} | null} */ (value)?.component === name) count += 1;
    }
  }
  return count;
}

/** @param {readonly Point[]} points @returns {Place} */
const corner = (points) => (points.length === 0 ? { x: 0, y: 0 } : { x: Math.min(...points.map((point) => point.x)), y: Math.min(...points.map((point) => point.y)) });
