/** Another end for the selected link, or a node put into it. */

import { chosen, goTo, wiresAt } from "../actions/links.js";
import { titleOf } from "../canvas/look.js";
import { refusal } from "../core/connect.js";
import { addNode, relink, unlinkOne } from "../core/edits.js";
import { housed } from "../core/frames.js";
import { layoutOf } from "../core/geometry.js";
import { portLabel } from "../core/naming.js";
import { t } from "../core/strings.js";
import { snapped } from "../core/tidy.js";
import { learnAll } from "../language.js";
import { putInto } from "../tools/drag.js";
import { pickOne } from "./pick.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {Wire} from "../core/scene.js" */
/** @import {PortRef} from "../core/types.js" */

/** Choose another end for the selected link. @param {Parts} parts */
export async function openEnds(parts) {
  const { editor } = parts;
  const wire = chosen(editor);
  if (!wire) return;
  await learnAll();
  const { document, scene } = editor;
  const ports = [...document.nodes.keys()].flatMap((id) => scene.ports(id));
  const named = (/** @type {PortRef} */ { node, port }) => ({ title: titleOf(editor, node), port: portLabel(port) });
  const [from, into] = endsOf(editor, wire);
  const readers = ports.filter((port) => !(port.node === wire.id && port.port === wire.name) && refusal(document, from, port) === null);
  const sources = ports.filter((port) => !(port.node === wire.source && port.port === wire.output) && refusal(document, into, port) === null);
  const after = (/** @type {PortRef} */ start, /** @type {PortRef} */ end) => {
    const fresh = wiresAt(editor, end).find((each) => each.source === start.node && each.output === start.port);
    if (fresh) goTo(parts, fresh);
  };
  const toReader = (/** @type {PortRef} */ port) => {
    const gesture = `relink\0${performance.now()}`;
    editor.edit(unlinkOne(document, wire.id, wire.name, scene.spec(wire.id), { node: wire.source, output: wire.output }), gesture);
    editor.edit(editor.joining(from, port), gesture);
    editor.seal();
    after(from, port);
  };
  const toSource = (/** @type {PortRef} */ port) => {
    const moved = (/** @type {import("../core/types.js").Link} */ link) => (link.node === wire.source && link.output === wire.output ? { node: port.node, output: port.port } : link);
    editor.edit([relink(document, wire.id, wire.name, moved)]);
    after(port, into);
  };
  pickOne(t("link.other", joined(editor, wire)), t("connect.findEnd"), [
    ...readers.map((port) => ({ text: t("link.to", named(port)), note: port.type, run: () => toReader(port) })),
    ...sources.map((port) => ({ text: t("link.from", named(port)), note: port.type, run: () => toSource(port) })),
  ]);
}

/** Ask for a node and put it into the selected link. @param {Parts} parts */
export function openInsert({ editor, view, search, show }) {
  const wire = chosen(editor);
  if (!wire) return;
  const [from, into] = endsOf(editor, wire);
  const middle = { x: (wire.from.x + wire.to.x) / 2, y: (wire.from.y + wire.to.y) / 2 };
  const rect = view.element.getBoundingClientRect();
  const { x, y, scale } = view.camera;
  search.open({ x: rect.left + x + middle.x * scale, y: rect.top + y + middle.y * scale }, from, (spec) => {
    const id = editor.document.freeId();
    const { w, h } = layoutOf(spec, { type: spec.id, inputs: {} }, undefined);
    const gesture = `insert\0${performance.now()}`;
    editor.edit(addNode(id, spec, housed(editor.document, { x: snapped(middle.x - w / 2), y: snapped(middle.y - h / 2) }, { w, h })), gesture);
    putInto(editor, id, wire, gesture);
    editor.seal();
    show(id);
  }, "", into);
}

/** The output and the input a link joins. @param {Parts["editor"]} editor @param {Wire} wire @returns {[PortRef, PortRef]} */
function endsOf({ scene }, wire) {
  const type = scene.spec(wire.id).inputs.find((input) => input.name === wire.name)?.type ?? "Any";
  return [{ node: wire.source, port: wire.output, side: "output", type: wire.type }, { node: wire.id, port: wire.name, side: "input", type }];
}

/** What a link joins, in words. @param {Parts["editor"]} editor @param {Wire} wire */
const joined = (editor, wire) => ({ from: titleOf(editor, wire.source), output: portLabel(wire.output), to: titleOf(editor, wire.id), input: portLabel(wire.name) });

/** @param {Parts["editor"]} editor */
export function sayLink(editor) {
  const wire = chosen(editor);
  return wire ? t("link.joins", joined(editor, wire)) : "";
}
