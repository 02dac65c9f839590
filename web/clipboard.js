/** Copy, cut and paste of nodes, as JSON text; pictures, workflows and links to saved ones that are pasted or dropped on the page. */

import { BadDocument } from "./core/document.js";
import { parseExactly } from "./core/json.js";
import { isRecord } from "./core/level.js";
import { t } from "./core/strings.js";
import { isEditing } from "./dom.js";
import { DRAGGED, fileOf } from "./pictures.js";

/** @import {Editor} from "./core/editor.js" */
/** @import {Point} from "./core/types.js" */
/** @import {View} from "./canvas/view.js" */

/** Whether an event belongs to a text field or a dialog. @param {Event} event */
const isElsewhere = (event) => isEditing(event.target) || document.querySelector("dialog[open]") !== null;

/**
 * @param {Editor} editor
 * @param {() => Point} pasteAt  in the world
 * @param {(text: string) => void} notify
 * @param {(file: File, at: Point) => void} takeFile
 * @param {(text: string) => boolean} openLink  whether it was one
 */
export function listenToClipboard(editor, pasteAt, notify, takeFile, openLink) {
  let shift = false;
  addEventListener("keydown", (event) => (shift = event.shiftKey), { capture: true });
  const copy = (/** @type {ClipboardEvent} */ event) => {
    const part = isElsewhere(event) || String(getSelection()) !== "" ? null : editor.copy();
    if (!part || !event.clipboardData) return;
    event.clipboardData.setData("text/plain", JSON.stringify(part, null, 2));
    event.preventDefault();
    if (event.type === "cut") editor.removeSelected();
  };
  document.addEventListener("copy", copy);
  document.addEventListener("cut", copy);
  document.addEventListener("paste", (event) => {
    if (isElsewhere(event) || !event.clipboardData) return;
    event.preventDefault();
    const [file] = event.clipboardData.files;
    if (file) return takeFile(file, pasteAt());
    const text = event.clipboardData.getData("text/plain");
    if (!openLink(text.trim())) pasteText(editor, text, pasteAt(), shift, notify, takeFile);
  });
}

/**
 * Nodes, if the text is a workflow, with Shift also linked to what they were linked to; another JSON object is opened as
 * a file would be; any other text is a note.
 * @param {Editor} editor
 * @param {string} text
 * @param {Point} at
 * @param {boolean} linked
 * @param {(text: string) => void} notify
 * @param {(file: File, at: Point) => void} takeFile
 */
function pasteText(editor, text, at, linked, notify, takeFile) {
  try {
    const json = parseExactly(text);
    if (isRecord(json)) return editor.paste(json, at, linked);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof BadDocument)) throw error;
    if (error instanceof BadDocument || text.trim() === "") return takeFile(new File([text], t("app.untitled")), at);
  }
  editor.addNote(text, at);
  notify(t("clipboard.note"));
}

/**
 * Add a node that loads a picture.
 * @param {Editor} editor
 * @param {Point} at
 * @returns {{id: string, input: string} | null} the input that takes its name
 */
export function addPictureNode(editor, at) {
  for (const spec of editor.catalogue.specs.values()) {
    const input = spec.inputs.find((each) => each.widget?.kind === "InputFile");
    if (input && spec.outputs.some((output) => output.type === "Image")) return { id: editor.add(spec, at), input: input.name };
  }
  return null;
}

/**
 * Files dropped on the page: on a node that takes a picture they are uploaded, anywhere else their workflow is opened, as is
 * that of a link. So it is with pictures of jobs, of which what the server knows is opened.
 * @param {Editor} editor
 * @param {View} view
 * @param {{open: (file: File, at: Point | null) => void, upload: (id: string, input: string, file: File) => void, openJob: (job: string, node: string) => void, openLink: (text: string) => boolean}} take
 */
export function listenToDrops(editor, view, take) {
  const page = document.documentElement;
  const isMade = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes(DRAGGED) === true;
  const hasFiles = (/** @type {DragEvent} */ event) => isMade(event) || event.dataTransfer?.types.includes("Files") === true;
  const hasLink = (/** @type {DragEvent} */ event) => !hasFiles(event) && event.dataTransfer?.types.includes("text/uri-list") === true;
  const onCanvas = (/** @type {DragEvent} */ event) => event.target instanceof Element && view.element.contains(event.target);
  const targetOf = (/** @type {DragEvent} */ event) => {
    const id = onCanvas(event) ? editor.scene.nodeAt(view.toWorld(view.pointOf(event))) : null;
    const input = id === null ? undefined : editor.scene.spec(id).inputs.find((each) => each.widget?.kind === "InputFile");
    return id !== null && input ? { id, input: input.name } : null;
  };
  addEventListener("dragover", (event) => {
    if (hasLink(event)) event.preventDefault();
    if (!hasFiles(event)) return;
    event.preventDefault();
    const target = targetOf(event);
    page.classList.toggle("dropping", target === null);
    view.element.dataset.drop = target ? t("canvas.dropImage") : t("canvas.drop");
  });
  const leave = () => page.classList.remove("dropping");
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) leave();
  });
  addEventListener("drop", (event) => {
    leave();
    if (hasLink(event) && take.openLink(event.dataTransfer?.getData("text/uri-list").trim() ?? "")) event.preventDefault();
    if (!hasFiles(event)) return;
    event.preventDefault();
    const target = targetOf(event);
    if (isMade(event)) {
      const { job, node, url } = JSON.parse(event.dataTransfer?.getData(DRAGGED) ?? "");
      if (target) void fileOf(url).then((file) => take.upload(target.id, target.input, file));
      else if (onCanvas(event)) take.openJob(job, node);
      return;
    }
    const [file] = event.dataTransfer?.files ?? [];
    if (!file) return;
    if (target && file.type.startsWith("image/")) take.upload(target.id, target.input, file);
    else take.open(file, onCanvas(event) ? view.toWorld(view.pointOf(event)) : null);
  });
}
