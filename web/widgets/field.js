/** What the controls of nodes are given: each input of a node as a Field over the document being edited. */

/** @import {Editor} from "../core/editor.js" */
/** @import {InputSpec} from "../core/types.js" */
/** @import {Field} from "./index.js" */
/** @typedef {(id: string, input: InputSpec, label: string) => Field} Fields */

/**
 * @param {Editor} editor
 * @param {{upload: (id: string, input: string, file: File) => void, fileUrl: (name: string) => string}} services
 * @returns {Fields}
 */
export function fieldsOf(editor, { upload, fileUrl }) {
  return (id, input, label) => ({
    input,
    label,
    value: () => editor.document.input(id, input.name),
    set: (value, whole) => editor.setInput(id, input.name, value, whole),
    seal: () => editor.seal(),
    options: () => editor.catalogue.options(input),
    upload: (file) => upload(id, input.name, file),
    fileUrl,
  });
}
