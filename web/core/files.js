/** What model files hold. No edit makes these facts, so they are beside the documents, and are noted in what is kept of one. */

/** @import {Document, FileFact} from "./document.js" */

/** By "folder/name". @type {Map<string, FileFact>} */
export const known = new Map();

/** The saved form of a workflow with what is known of the files it names. @param {Document} document */
export function noted(document) {
  const json = document.toJSON();
  const levels = ["", ...document.components.keys()].map((level) => document.sheet(level));
  const values = new Set(levels.flatMap(({ nodes }) => [...nodes.values()]).flatMap(({ inputs }) => Object.values(inputs)));
  const named = [...known].filter(([path]) => values.has(path.slice(path.indexOf("/") + 1)));
  const files = { ...document.files, ...Object.fromEntries(named) };
  return named.length === 0 ? json : Object.assign({ files }, json, { files });
}
