/** What nodes, their ports, choices and categories are called in the language of the page: their own names where it has none. */

import { named } from "./strings.js";

/** @import {NodeSpec} from "./types.js" */

/** A definition with its title and help in the language of the page. @param {NodeSpec} spec @returns {NodeSpec} */
export const localised = (spec) => ({ ...spec, title: named(`title.${spec.id}`, spec.title), doc: named(`help.${spec.id}`, spec.doc) });

/** A template, the titles its author gave to nodes in the language of the page. @param {{nodes: Readonly<Record<string, {title?: string}>>}} template */
export function localisedTitles(template) {
  const nodes = Object.entries(template.nodes).map(([id, node]) => [id, node.title ? { ...node, title: named(`written.${node.title}`, node.title) } : node]);
  return { ...template, nodes: Object.fromEntries(nodes) };
}

/** @param {string} name */
export const portLabel = (name) => named(`port.${name}`, name.replaceAll("_", " "));

/** @param {string | number} option */
export const optionLabel = (option) => named(`option.${option}`, String(option));

/** @param {string} category */
export const categoryLabel = (category) => named(`category.${category}`, category);
