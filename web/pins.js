/**
 * What the model files of a workflow hold, saved with it beside their names: where a name is not here, as on another machine or
 * after a renaming, the file is found by its content.
 */

import { ApiError, call } from "./api.js";
import { setInput } from "./core/edits.js";
import { known } from "./core/files.js";
import { own } from "./core/level.js";
import { t } from "./core/strings.js";

/** @import {Document, FileFact} from "./core/document.js" */
/** @import {Editor} from "./core/editor.js" */
/** @import {Fix} from "./core/fixes.js" */
/** @import {Problem} from "./core/types.js" */

export class Pins {
  /** Names that were asked for, once for each workflow. @type {WeakMap<Document, Set<string>>} */
  #asked = new WeakMap();
  #editor;

  /** @param {Editor} editor */
  constructor(editor) {
    this.#editor = editor;
  }

  /** Have the page know what the files of the workflow hold, as far as they are here. */
  async learn() {
    const { document } = this.#editor;
    const asked = this.#asked.get(document) ?? new Set();
    this.#asked.set(document, asked);
    for (const name of filesOf(this.#editor).filter((each) => !asked.has(each))) {
      asked.add(name);
      const found = await model(name);
      if (found) known.set(name, { hash: found.hash, size: found.size });
    }
  }
}

/** Use the file that has the content of the missing one; null where there is none. @param {Problem} problem @param {Editor} editor @returns {Promise<Fix | null>} */
export async function locate({ code, node, port }, editor) {
  const folder = node === null ? undefined : editor.scene.spec(node).inputs.find((input) => input.name === port)?.widget?.folder;
  if (code !== "bad_value" || node === null || port === null || folder === undefined) return null;
  const name = String(editor.document.input(node, port));
  const path = `${folder}/${name}`;
  const fact = /** @type {FileFact | undefined} */ (own(editor.document.files, path)) ?? known.get(path);
  const found = fact ? await model(path, fact) : null;
  return found && found.name !== name ? { label: t("fix.located", { name: found.name }), changes: setInput(node, port, found.name) } : null;
}

/** @param {string} name  "folder/name" @param {FileFact} [fact]  for one of another name @returns {Promise<(FileFact & {name: string}) | null>} */
async function model(name, fact) {
  const query = fact ? `?${new URLSearchParams({ hash: fact.hash, size: String(fact.size) })}` : "";
  try {
    const answer = await call(`/models/${name.split("/").map(encodeURIComponent).join("/")}${query}`);
    return answer.status === 204 ? null : await answer.json();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return null; // What cannot be asked is not known.
  }
}

/** The model files that nodes of any sheet name and that are here, as "folder/name". @param {Editor} editor */
function filesOf({ document, catalogue }) {
  const sheets = ["", ...document.components.keys()].map((level) => document.sheet(level));
  const named = sheets.flatMap(({ nodes }) => [...nodes.values()]).flatMap((node) =>
    (catalogue.specs.get(node.type)?.inputs ?? []).flatMap(({ name, widget }) => {
      const value = own(node.inputs, name);
      return widget?.folder !== undefined && catalogue.models[widget.folder]?.some((each) => each === value) ? `${widget.folder}/${value}` : [];
    }),
  );
  return [...new Set(named)];
}
