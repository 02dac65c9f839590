/** What differs between two results or two workflows, in words; of results their pictures too, behind a slider or laid over each other. */

import { jobWorkflow } from "../api.js";
import { cellOf } from "../core/cells.js";
import { differences } from "../core/diff.js";
import { unswept } from "../core/sweep.js";
import { t } from "../core/strings.js";
import { learnAll } from "../language.js";
import * as documents from "../documents.js";
import { h } from "../dom.js";
import { openDialog } from "./dialog.js";
import { openViewer } from "./viewer.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {Difference, Sheet} from "../core/diff.js" */
/** @import {Editor} from "../core/editor.js" */
/** @import {OutputFile} from "../core/types.js" */
/** @typedef {{job: string, node: string, file: OutputFile}} Made */

const MOST_SAID = 30;
const SAID_OVER_PICTURES = 3;

/** @param {Editor} editor @param {unknown} before @param {unknown} after */
export const between = (editor, before, after) => differences(/** @type {Sheet} */ (unswept(before)), /** @type {Sheet} */ (unswept(after)), (type) => editor.catalogue.specs.get(type));

/** @param {readonly Difference[]} found @returns {HTMLElement[]} */
export const linesOf = (found) => (found.length > 0 ? found.slice(0, MOST_SAID).map(({ kind, text }) => h("li", { class: kind }, text)) : [h("li", { class: "quiet" }, t("diff.none"))]);

/**
 * Look at two results at once. Throws ApiError.
 * @param {{editor: Editor, notify: (text: string) => void}} parts
 * @param {Made} older
 * @param {Made} newer
 * @param {"compare" | "overlay"} mode
 * @returns {Promise<Difference[]>} what differs between their workflows
 */
export async function compareResults({ editor, notify }, older, newer, mode) {
  const [before, after] = await Promise.all([workflowOf(older), workflowOf(newer), learnAll()]);
  const found = between(editor, before, after);
  const caption = found.length > 0 ? found.slice(0, SAID_OVER_PICTURES).map(({ text }) => text).join(" · ") : t("diff.none");
  openViewer([older.file, newer.file], 1, { beside: 0, mode, note: notify, caption: () => caption });
  return found;
}

/** What made a picture; of a cell of a sweep the workflow of that cell. @param {Made} made */
async function workflowOf({ job, node }) {
  const workflow = await jobWorkflow(job);
  return cellOf(workflow, node)?.workflow ?? workflow;
}

/** Say what differs between a saved workflow and the one on the table. Throws ApiError. @param {Parts} parts @param {string} name */
export async function compareWithSaved({ editor }, name) {
  const { workflow } = await documents.read(name);
  openDialog(t("files.differs", { name }), "", h("ul", { class: "differences" }, ...linesOf(between(editor, workflow, editor.document.toJSON()))));
}
