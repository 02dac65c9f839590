/** The workflow that a file carries: JSON, or a picture made by one. */

import { BadDocument } from "./core/document.js";
import { readDescription } from "./core/exif.js";
import { readText } from "./core/png.js";
import { t } from "./core/strings.js";

const KEYWORD = "workflow";

/** Throws BadDocument where there is none. @param {File} file @returns {Promise<unknown>} */
export async function workflowIn(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const texts = await readText(bytes);
  const text = texts ? texts.get(KEYWORD) : readDescription(bytes);
  if (texts === null && text === null) {
    if (file.type.startsWith("image/")) throw new BadDocument(t("app.notUsable", { name: file.name }));
    return JSON.parse(new TextDecoder().decode(bytes));
  }
  if (text === undefined || text === null) throw new BadDocument(t("app.noWorkflow", { name: file.name }));
  return JSON.parse(text);
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
