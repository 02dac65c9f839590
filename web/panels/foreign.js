/** Workflows of ComfyUI: made ours by the server; what could not be carried over is told once, when they open. */

import { post } from "../api.js";
import { parseExactly } from "../core/json.js";
import { filled, named, t } from "../core/strings.js";
import { h } from "../dom.js";
import { learnAll } from "../language.js";
import { openDialog } from "./dialog.js";

/** @typedef {{code: string, node: string | null, text: string, values: Record<string, string | number>}} Note */

/** @param {unknown} json @returns {Promise<unknown>} */
export async function convert(json) {
  const [response] = await Promise.all([post("/workflows/convert", json), learnAll()]);
  /** @type {{workflow: unknown, notes: Note[]}} */
  const { workflow, notes } = parseExactly(await response.text());
  if (notes.length > 0) tell(notes);
  return workflow;
}

/** @param {readonly Note[]} notes */
function tell(notes) {
  const items = notes.map((note) => h("li", {}, sentence(note)));
  openDialog(t("foreign.title"), "foreign", h("ul", {}, ...items), h("p", { class: "quiet" }, t("foreign.rest")));
}

/** In the language that is spoken; the server's own sentence where it has none. @param {Note} note */
const sentence = ({ code, text, values }) => filled(named(`foreign.${code}`, ""), values) || text;
