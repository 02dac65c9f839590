/** A LoRA, put between where a prompt's text encoder comes from and all that reads the model and the encoder from there. */

import { relink } from "./edits.js";
import { isLink } from "./level.js";

/** @import {Change} from "./document.js" */
/** @import {Editor} from "./editor.js" */

const LOADER = "LoRALoader";
const BESIDE = 280;

/**
 * @param {Editor} editor
 * @param {string} id  the node whose prompt names it
 * @param {string} name  of the file
 * @returns {Change[]} none where no model and text encoder come from one node
 */
export function addLora(editor, id, name) {
  const { document, catalogue } = editor;
  const spec = catalogue.specs.get(LOADER);
  const clip = Object.values(document.nodes.get(id)?.inputs ?? {}).find((value) => isLink(value) && document.nodes.has(value.node) && typeOf(editor, value) === "CLIP");
  if (!spec || !isLink(clip)) return [];
  const model = editor.scene.spec(clip.node).outputs.find((output) => output.type === "Model")?.name;
  if (model === undefined) return [];
  const place = document.places.get(clip.node) ?? { x: 0, y: 0 };
  const fresh = document.freeId();
  const defaults = spec.inputs.flatMap((input) => (input.widget && input.default !== undefined && input.default !== null ? [[input.name, input.default]] : []));
  const links = { model: { node: clip.node, output: model }, clip: { node: clip.node, output: clip.output } };
  const ends = new Map([...document.readers(clip.node)].map((end) => [`${end.id}\0${end.name}`, end]));
  return [
    { kind: "add", id: fresh, node: { type: LOADER, inputs: { ...Object.fromEntries(defaults), ...links, lora: name } }, place: { x: place.x, y: place.y + BESIDE } },
    ...[...ends.values()].map((end) =>
      relink(document, end.id, end.name, (link) => {
        if (link.node !== clip.node || (link.output !== model && link.output !== clip.output)) return link;
        return { node: fresh, output: link.output === model ? "model" : "clip" };
      }),
    ),
  ];
}

/** @param {Editor} editor @param {import("./types.js").Link} link */
const typeOf = (editor, link) => editor.scene.spec(link.node).outputs.find((output) => output.name === link.output)?.type;
