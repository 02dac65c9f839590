/** Ports by keyboard: a link from a port of the selected node to one it fits, and what the menu of a port offers. */

import { refusal } from "../core/connect.js";
import { linksOf } from "../core/document.js";
import { t } from "../core/strings.js";
import { titleOf } from "../canvas/look.js";
import { portLabel } from "../core/naming.js";
import { learnAll } from "../language.js";
import { portItems } from "./menu.js";
import { pickOne } from "./pick.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {PortRef} from "../core/types.js" */

/** @param {Parts} parts */
export async function openConnect(parts) {
  const { editor } = parts;
  const [id] = editor.selection.peek();
  if (id === undefined) return;
  await learnAll();
  const items = portsOf(parts, id).map((port) => {
    const note = t(`connect.${port.side}`, { type: port.type });
    return { text: portName(port), note, words: note, run: () => openEnds(parts, port) };
  });
  pickOne(t("connect.port", { title: titleOf(editor, id) }), t("connect.findPort"), items);
}

/** What a port can be linked to. @param {Parts} parts @param {PortRef} from */
function openEnds(parts, from) {
  const { editor, addFor } = parts;
  const ends = [...editor.document.nodes.keys()]
    .flatMap((id) => portsOf(parts, id))
    .filter((port) => port.node !== from.node && refusal(editor.document, from, port) === null)
    .map((port) => ({ text: `${titleOf(editor, port.node)} · ${portName(port)}`, note: port.type, run: () => void editor.connect(from, port) }));
  const linked = from.side === "input" && linksOf(editor.document.input(from.node, from.port)).length > 0;
  const cut = linked ? [{ text: t("connect.cut"), run: () => editor.unlink(from.node, from.port) }] : [];
  const title = t("connect.to", { title: titleOf(editor, from.node), port: portName(from) });
  pickOne(title, t("connect.findEnd"), [...ends, { text: t("action.addNode"), note: t("connect.fresh"), run: () => addFor(from) }, ...cut]);
}

/** Choose from what can be done with the inputs and outputs of the selected node. @param {Parts} parts */
export async function openPorts(parts) {
  const { editor } = parts;
  const [id] = editor.selection.peek();
  if (id === undefined) return;
  await learnAll();
  const items = editor.scene.ports(id).flatMap((port) => portItems(parts, port).flatMap((item) => (item === "line" || item instanceof HTMLElement ? [] : [{ text: item.label, note: portName(port), words: portName(port), run: item.run }])));
  pickOne(t("connect.ports", { title: titleOf(editor, id) }), t("palette.find"), items);
}

/** @param {Parts} parts @param {string} id @returns {PortRef[]} */
function portsOf({ editor }, id) {
  const spec = editor.scene.spec(id);
  const outputs = spec.outputs.map(({ name, type }) => ({ node: id, port: name, side: /** @type {const} */ ("output"), type }));
  const inputs = spec.inputs.map(({ name, type }) => ({ node: id, port: name, side: /** @type {const} */ ("input"), type }));
  return [...outputs, ...inputs];
}

/** @param {PortRef} port */
const portName = (port) => portLabel(port.port);
