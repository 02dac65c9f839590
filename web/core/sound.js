/** A workflow without what leads nowhere, where one side of a merge took away what the other one put to use. */

import { componentName, isComponent } from "./components.js";
import { isLink, isRecord, own } from "./level.js";

/** @typedef {Record<string, any>} Json */

/** @param {unknown} value @returns {Json} */
const table = (value) => (isRecord(value) ? value : {});

/** @param {Json} record @param {(value: any, key: string) => unknown} change  undefined leaves it out */
const mapped = (record, change) => Object.fromEntries(Object.entries(record).flatMap(([key, value]) => (((made) => (made === undefined ? [] : [[key, made]]))(change(value, key)))));

/**
 * Links, ports, parameters and frames that lead to nothing go; components that are used come back. What is made of
 * workflows that were not sound themselves stays as it is.
 * @param {Json} json
 * @param {readonly Json[]} sources  what it was made of
 * @returns {Json}
 */
export const sound = (json, sources) => (sources.every((each) => JSON.stringify(mended(each, [])) === JSON.stringify(each)) ? mended(json, sources) : json);

/** @param {Json} json @param {readonly Json[]} sources  where components that are gone are still found @returns {Json} */
function mended(json, sources) {
  let now = withComponents(json, sources);
  for (let before = ""; before !== JSON.stringify(now); ) {
    before = JSON.stringify(now);
    const components = table(now.components);
    now = cleared(now, components);
    if (isRecord(now.components)) now = { ...now, components: mapped(components, (sheet) => (isRecord(sheet) ? cleared(sheet, components) : sheet)) };
  }
  return now;
}

/** @param {Json} json @param {readonly Json[]} sources @returns {Json} */
function withComponents(json, sources) {
  const components = table(json.components);
  const used = [json, ...Object.values(components)].flatMap((sheet) => Object.values(table(table(sheet).nodes)).flatMap((node) => usedOf(table(node))));
  const name = used.find((each) => !Object.hasOwn(components, each) && sources.some((source) => Object.hasOwn(table(source.components), each)));
  if (name === undefined) return json;
  const found = sources.map((source) => own(table(source.components), name)).find((each) => each !== undefined);
  return withComponents({ ...json, components: { ...components, [name]: found } }, sources);
}

/** Names of the components a node uses. @param {Json} node @returns {string[]} */
function usedOf(node) {
  const bodies = Object.values(table(node.inputs)).flatMap((value) => (typeof table(value).component === "string" ? [table(value).component] : []));
  return isComponent(String(node.type)) ? [componentName(String(node.type)), ...bodies] : bodies;
}

/** A sheet on its own terms. @param {Json} sheet @param {Json} components @returns {Json} */
function cleared(sheet, components) {
  const nodes = table(sheet.nodes);
  /** Whether a node, if it is an instance, has a port of that name. */
  const has = (/** @type {any} */ node, /** @type {"inputs" | "outputs"} */ side, /** @type {unknown} */ name) => {
    const definition = isComponent(String(node?.type)) ? own(components, componentName(node.type)) : undefined;
    return definition === undefined || [table(definition)[side]].flat().some((port) => port?.name === name);
  };
  const leads = (/** @type {any} */ value) => !isLink(value) || (Object.hasOwn(nodes, value.node) && has(nodes[value.node], "outputs", value.output));
  const input = (/** @type {any} */ node) => (/** @type {any} */ value, /** @type {string} */ name) => {
    if (!has(node, "inputs", name) || !leads(value)) return undefined;
    return Array.isArray(value) ? value.filter(leads) : value;
  };
  const ports = (/** @type {string} */ field, /** @type {"input" | "output"} */ key) =>
    Array.isArray(sheet[field]) ? { [field]: sheet[field].filter((port) => Object.hasOwn(nodes, port?.node) && has(nodes[port.node], `${key}s`, port[key])) } : {};
  const view = table(sheet.view);
  const frames = table(view.frames);
  const framed = (/** @type {any} */ place) => (isRecord(place) && typeof place.frame === "string" && !Object.hasOwn(frames, place.frame) ? (({ frame: _, ...rest }) => rest)(place) : place);
  return {
    ...sheet,
    nodes: mapped(nodes, (node) => (isRecord(node) && isRecord(node.inputs) ? { ...node, inputs: mapped(node.inputs, input(node)) } : node)),
    ...ports("interface", "input"),
    ...ports("inputs", "input"),
    ...ports("outputs", "output"),
    ...(isRecord(sheet.view) ? { view: { ...view, nodes: mapped(table(view.nodes), framed), ...(isRecord(view.frames) ? { frames: mapped(frames, framed) } : {}) } } : {}),
  };
}
