/** What the controls of nodes are given: each input of a node as a Field over the document being edited. */

import * as api from "../api.js";
import { usableIn } from "../core/components.js";
import { afterRun, drawSeed, withAfterRun } from "../core/seeds.js";
import { sweepsOf, sweepValues, withSweep } from "../core/sweep.js";
import { tokensOf } from "../jobs.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {InputSpec} from "../core/types.js" */
/** @import {Runner} from "../runner.js" */
/** @import {Field} from "./index.js" */
/** @typedef {(id: string, input: InputSpec, label: string) => Field} Fields */

/** @param {string} name */
const path = (name) => name.split("/").map(encodeURIComponent).join("/");

/**
 * @param {{editor: Editor, runner: Runner, upload: (id: string, input: string, file: File) => void}} parts
 * @returns {Fields}
 */
export function fieldsOf({ editor, runner, upload }) {
  return (id, input, label) => {
    const node = () => editor.document.nodes.get(id);
    const set = (/** @type {string} */ name, /** @type {unknown} */ value) => editor.edit([{ kind: "field", id, name, value }]);
    /** Only the inputs of the workflow itself are swept and change after a run, not those of components. */
    const outside = () => editor.document.level === "";
    const count = (/** @type {string} */ text) => {
      if (!outside()) return 0;
      try {
        return sweepValues(text, input, editor.catalogue.options(input), drawSeed).length;
      } catch (error) {
        if (error instanceof RangeError) return 0;
        throw error;
      }
    };
    return {
      of: `${node()?.type}.${input.name}`,
      input,
      label,
      value: () => editor.document.input(id, input.name) ?? input.default,
      set: (value, whole) => editor.setInput(id, input.name, value, whole),
      seal: () => editor.seal(),
      options: () => (input.widget?.kind === "Component" ? usableIn(editor.document) : editor.catalogue.options(input)),
      upload: (file) => upload(id, input.name, file),
      fileUrl: api.inputUrl,
      names: (folder) => editor.catalogue.models[folder] ?? [],
      pictureOf: (name, folder = input.widget?.folder ?? "") => `/api/v1/thumbnails/${folder}/${path(name)}`,
      addLora: (name) => void import("../core/lora.js").then(({ addLora }) => editor.edit(addLora(editor, id, name))),
      tokens: tokensOf,
      after: () => afterRun(node(), input.name),
      setAfter: (mode) => set("after_run", withAfterRun(node(), input.name, mode)),
      used: () => (outside() ? runner.used.peek().get(`${id}\0${input.name}`) : undefined),
      sweep: () => sweepsOf(node())[input.name] ?? "",
      setSweep: (text) => set("sweep", withSweep(node(), input.name, text)),
      sweepCount: count,
    };
  };
}
