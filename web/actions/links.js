/** Commands about links: from link to link of a node, and what is done with the one that is selected. */

import { contains } from "../core/geometry.js";
import { inView } from "../tools/tool.js";
import { always } from "./action.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {Wire} from "../core/scene.js" */
/** @import {PortRef} from "../core/types.js" */
/** @import {Action, Parts} from "./action.js" */

/** @param {Parts} parts @returns {Action[]} */
export function linkActions(parts) {
  const { editor } = parts;
  const some = () => editor.selectedWire.value !== null;
  const panel = () => import("../panels/links.js");
  /** The node whose links are walked along. */
  let walked = "";
  const walk = (/** @type {1 | -1} */ way) => {
    const wire = chosen(editor);
    const id = wire ? ([wire.source, wire.id].includes(walked) ? walked : wire.id) : ([...editor.selection.peek()].at(-1) ?? walked);
    if (!editor.document.nodes.has(id)) return;
    walked = id;
    const wires = editor.scene.ports(id).flatMap((port) => wiresAt(editor, port));
    const at = wires.findIndex((each) => each.key === wire?.key);
    const next = wires.at((at < 0 && way < 0 ? -1 : at + way) % wires.length);
    if (next) goTo(parts, next);
  };
  return [
    { id: "nextLink", title: "action.nextLink", keys: ["W"], enabled: always, run: () => walk(1) },
    { id: "previousLink", title: "action.previousLink", keys: ["Shift+W"], enabled: always, run: () => walk(-1) },
    { id: "relink", title: "action.relink", keys: [], enabled: some, run: () => void panel().then(({ openEnds }) => openEnds(parts)) },
    { id: "insertNode", title: "action.insertNode", keys: ["I"], enabled: some, run: () => void panel().then(({ openInsert }) => openInsert(parts)) },
    { id: "addReroute", title: "action.addReroute", keys: ["R"], enabled: some, run: () => addReroute(editor) },
  ];
}

/** The link that is selected. @param {Editor} editor */
export const chosen = ({ scene, selectedWire }) => scene.wire(selectedWire.value ?? "");

/** The links at a port. @param {Editor} editor @param {PortRef} port */
export const wiresAt = ({ scene }, { node, port, side }) =>
  [...scene.wiresOf(node)].flatMap((key) => scene.wire(key) ?? []).filter((wire) => (side === "input" ? wire.id === node && wire.name === port : wire.source === node && wire.output === port));

/** Select a link and have both its ends in view; keys that follow are for it, not for a node. @param {Pick<Parts, "editor" | "view">} parts @param {Wire} wire */
export function goTo({ editor, view }, wire) {
  view.element.focus({ preventScroll: true });
  editor.selectWire(wire.key);
  const seen = inView(view);
  if (!contains(seen, wire.from) || !contains(seen, wire.to)) view.fit([wire.source, wire.id]);
}

/** @param {Editor} editor */
function addReroute(editor) {
  const wire = chosen(editor);
  if (wire) editor.addReroute(wire, { x: (wire.from.x + wire.to.x) / 2, y: (wire.from.y + wire.to.y) / 2 });
}
