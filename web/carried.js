/** The workflow that a file carries: JSON, or a picture made by one. */

import { BadDocument } from "./core/document.js";
import { readDescription } from "./core/exif.js";
import { isRecord } from "./core/level.js";
import { readText } from "./core/png.js";
import { t } from "./core/strings.js";

const KEYWORD = "workflow";
/** What ComfyUI calls the part of one that runs. */
const PROMPT = "prompt";

/** Throws BadDocument where there is none. @param {File} file @returns {Promise<unknown>} */
export async function workflowIn(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const texts = await readText(bytes);
  const isPicture = texts !== null || file.type.startsWith("image/");
  const text = texts ? (texts.get(KEYWORD) ?? texts.get(PROMPT)) : (readDescription(bytes) ?? (isPicture ? undefined : new TextDecoder().decode(bytes)));
  if (text === undefined) throw new BadDocument(t("app.noWorkflow"));
  const json = parsed(text);
  if (isForeign(json)) throw new BadDocument(t("app.foreign"));
  return json;
}

/** @param {string} text @returns {unknown} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new BadDocument(t("app.notUsable"));
    throw error;
  }
}

/** Whether this is a workflow of ComfyUI: its nodes are a list, or each has a class. @param {unknown} json */
function isForeign(json) {
  if (!isRecord(json)) return false;
  const nodes = Object.values(json);
  return Array.isArray(json.nodes) || (nodes.length > 0 && nodes.every((node) => isRecord(node) && typeof node.class_type === "string"));
}

/** Whether a picture carries a workflow. @param {File} file */
export async function carriesWorkflow(file) {
  try {
    await workflowIn(file);
  } catch (error) {
    if (!(error instanceof BadDocument)) throw error;
    return false;
  }
  return true;
}
