/** Finding nodes of a workflow, on all its sheets: by title, kind, id or value. */

import { linksOf } from "./level.js";

/** @import {Catalogue} from "./catalogue.js" */
/** @import {Document} from "./document.js" */
/** @typedef {{level: string, id: string, title: string, type: string, input: string | null, value: string}} Hit  `input`: whose value matched */

const MOST = 200;

/**
 * @param {Document} document
 * @param {Catalogue} catalogue
 * @param {string} query
 * @returns {Hit[]} titles first, then kinds and ids, then values
 */
export function find(document, catalogue, query) {
  const wanted = query.trim().toLowerCase();
  if (wanted === "") return [];
  /** @type {[Hit[], Hit[], Hit[]]} */
  const hits = [[], [], []];
  for (const level of ["", ...document.components.keys()]) {
    for (const [id, node] of document.sheet(level).nodes) {
      const kind = catalogue.specs.get(node.type)?.title ?? node.type;
      const title = node.title ?? kind;
      const hit = { level, id, title, type: node.type, input: null, value: "" };
      if (title.toLowerCase().includes(wanted)) hits[0].push(hit);
      else if (kind.toLowerCase().includes(wanted) || node.type.toLowerCase().includes(wanted) || id === wanted) hits[1].push(hit);
      else {
        const found = Object.entries(node.inputs).find(([, value]) => linksOf(value).length === 0 && String(value).toLowerCase().includes(wanted));
        if (found) hits[2].push({ ...hit, input: found[0], value: String(found[1]) });
      }
    }
  }
  return hits.flat().slice(0, MOST);
}
