/** What nodes, their ports, choices and categories are called in the language of the page: their own names where it has none. */

import { named } from "./strings.js";

/** @import {NodeSpec} from "./types.js" */
/** @typedef {{nodes: Readonly<Record<string, {title?: string}>>, interface?: readonly {title?: string}[]}} Template */

/** A definition with its title in the language of the page. @param {NodeSpec} spec @returns {NodeSpec} */
export const localised = (spec) => ({ ...spec, title: named(`title.${spec.id}`, spec.title) });

/**
 * A template, the titles its author gave to nodes and parameters in the language of the page.
 * @param {Template} template
 */
export function localisedTitles(template) {
  const titled = (/** @type {{title?: string}} */ each) => (each.title ? { ...each, title: named(`written.${each.title}`, each.title) } : each);
  const nodes = Object.fromEntries(Object.entries(template.nodes).map(([id, node]) => [id, titled(node)]));
  return { ...template, nodes, ...(template.interface ? { interface: template.interface.map(titled) } : {}) };
}

/** What a node does and takes. @param {NodeSpec} spec */
export const helpOf = (spec) => named(`help.${spec.id}`, spec.doc);

/** @param {string} name */
export const portLabel = (name) => named(`port.${name}`, name.replaceAll("_", " "));

/** @param {string | number} option */
export const optionLabel = (option) => named(`option.${option}`, String(option));

/** @param {string} category */
export const categoryLabel = (category) => named(`category.${category}`, category);
