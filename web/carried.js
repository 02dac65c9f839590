/** The workflow that a file carries: JSON, or a picture made by one. */

import { BadDocument } from "./core/document.js";
import { readTexts } from "./core/exif.js";
import { parseExactly } from "./core/json.js";
import { isRecord } from "./core/level.js";
import { readText } from "./core/png.js";
import { t } from "./core/strings.js";
import { learnAll } from "./language.js";

const KEYWORD = "workflow";
/** What ComfyUI calls the part of one that runs. */
const PROMPT = "prompt";
/** It writes what JSON has no word for, in fields that say nothing about the workflow. */
const NO_NUMBER = /([:[,]\s*)NaN(?=\s*[,}\]])/g;

/** One of ComfyUI is made ours; that of a cell of a sweep is the cell's own. Throws BadDocument where there is none. @param {File} file @returns {Promise<unknown>} */
export async function workflowIn(file) {
  const json = await carried(file);
  if (isRecord(json) && typeof json.saved_by === "string") return (await import("./core/cells.js")).cellOf(json, json.saved_by)?.workflow ?? json;
  return isForeign(json) ? (await import("./panels/foreign.js")).convert(json) : json;
}

/** @param {File} file @returns {Promise<unknown>} */
async function carried(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const png = await readText(bytes);
  const texts = png ?? readTexts(bytes);
  const isPicture = png !== null || file.type.startsWith("image/");
  const text = texts.get(KEYWORD) ?? texts.get(PROMPT) ?? (isPicture ? undefined : new TextDecoder().decode(bytes));
  if (text === undefined) throw new BadDocument(t("app.noWorkflow"));
  await learnAll();
  return parsed(text);
}

/** @param {string} text @returns {unknown} */
function parsed(text) {
  try {
    return parseExactly(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const plain = text.replace(NO_NUMBER, "$1null");
    if (plain !== text) return parsed(plain);
    throw new BadDocument(t("app.notUsable"));
  }
}

/** Whether this is a workflow of ComfyUI: its nodes are a list, or each has a class. @param {unknown} json */
export function isForeign(json) {
  if (!isRecord(json)) return false;
  const nodes = Object.values(json);
  return Array.isArray(json.nodes) || (nodes.length > 0 && nodes.every((node) => isRecord(node) && typeof node.class_type === "string"));
}

/** Whether a picture carries a workflow. @param {File} file */
export async function carriesWorkflow(file) {
  try {
    await carried(file);
  } catch (error) {
    if (!(error instanceof BadDocument)) throw error;
    return false;
  }
  return true;
}
