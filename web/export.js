/** A workflow as a file for somebody else: JSON, or a picture that carries it. */

import { paintCard } from "./card.js";
import { noted } from "./core/files.js";
import { writeText } from "./core/png.js";
import { t } from "./core/strings.js";
import { h } from "./dom.js";

/** @import {Parts} from "./actions/action.js" */

const KEYWORD = "workflow";

/** @param {Parts} parts */
export function exportJson({ editor, workspace }) {
  hand(new Blob([JSON.stringify(noted(editor.document), null, 2)], { type: "application/json" }), `${fileName(workspace.name.peek())}.json`);
}

/** The last picture it made, else a drawing of the graph, with the workflow inside. @param {Parts} parts */
export async function exportPng({ editor, runner, workspace }) {
  const made = Object.values(runner.run.peek().outputs).flat().filter((file) => file.media_type === "image/png").at(-1);
  const picture = made ? await (await fetch(made.url)).blob() : await paintCard(editor);
  const bytes = writeText(new Uint8Array(await picture.arrayBuffer()), KEYWORD, JSON.stringify(noted(editor.document)));
  hand(new Blob([bytes], { type: "image/png" }), `${fileName(workspace.name.peek())}.png`);
}

/** @param {string} name */
const fileName = (name) => name.split("/").at(-1) || t("app.untitled");

/** Give a file to the browser to keep. @param {Blob} blob @param {string} name */
function hand(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
