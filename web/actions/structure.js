/** Commands about what nodes are part of: frames, components, the library. */

import { fitFrame, addFrame, membersOf, removeFrames } from "../core/frames.js";
import { componentName } from "../core/components.js";
import { extract } from "../core/clip.js";
import { t } from "../core/strings.js";
import { editTitle } from "../tools/title.js";

/** @import {Action, Parts} from "./action.js" */

/** @param {Parts} parts @returns {Action[]} */
export function structureActions(parts) {
  const { editor, view } = parts;
  const some = () => editor.selection.value.size > 0;
  const frame = () => editor.selectedFrame.value;
  /** The frame around what is selected. */
  const around = () => {
    const { frames, places } = editor.document;
    const inner = frame();
    const [id] = editor.selection.value;
    return (editor.version.value >= 0 && (inner !== null ? frames.get(inner)?.frame : places.get(id)?.frame)) || null;
  };
  const instance = () => {
    const [id] = editor.selection.value;
    return editor.version.value >= 0 && editor.selection.value.size === 1 && editor.document.nodes.has(id) && editor.scene.spec(id)?.component !== undefined ? id : null;
  };
  return [
    { id: "frame", title: "action.frame", keys: ["Mod+G"], enabled: some, run: () => addFrameAround(parts) },
    { id: "selectFrame", title: "action.selectFrame", keys: ["Shift+G"], enabled: () => around() !== null, run: () => editor.selectFrame(around() ?? "", membersOf(editor.document, around() ?? "")) },
    { id: "nameFrame", title: "action.nameFrame", keys: [], enabled: () => frame() !== null, run: () => editTitle(view, editor, frame() ?? "") },
    { id: "unframe", title: "action.unframe", keys: ["Mod+Shift+G"], enabled: () => frame() !== null, run: () => editor.edit(removeFrames(editor.document, new Set([frame() ?? ""]))) },
    { id: "fitFrame", title: "action.fitFrame", keys: [], enabled: () => frame() !== null, run: () => editor.edit(fitFrame(editor.document, editor.scene, frame() ?? "")) },
    { id: "component", title: "action.component", keys: ["Mod+Shift+E"], enabled: some, run: () => void makeOne(parts) },
    { id: "enter", title: "action.enter", keys: ["Mod+ArrowDown"], enabled: () => instance() !== null, run: () => (editor.enter(instance() ?? ""), view.fit()) },
    { id: "leave", title: "action.leave", keys: ["Mod+ArrowUp"], enabled: () => editor.path.value.length > 0, run: () => (editor.leave(), view.fit()) },
    { id: "unpack", title: "action.unpack", keys: ["Mod+Shift+U"], enabled: () => instance() !== null, run: () => void unpackOne(parts, instance() ?? "") },
    { id: "keepComponent", title: "action.keepComponent", keys: [], enabled: () => instance() !== null, run: () => void keepOne(parts, instance() ?? "") },
  ];
}

/** @param {Parts} parts */
function addFrameAround({ editor, view }) {
  const { changes, id } = addFrame(editor.document, editor.scene, editor.selection.value, t("frame.title"));
  const members = [...editor.selection.value];
  editor.edit(changes);
  editor.selectFrame(id, members);
  editTitle(view, editor, id);
}

/** @param {Parts} parts */
async function makeOne({ editor }) {
  const { makeComponent } = await import("../core/subgraph.js");
  const { changes, id } = makeComponent(editor.document, editor.selection.value, t("component.name"));
  editor.edit(changes);
  editor.select([id]);
}

/** @param {Parts} parts @param {string} id */
async function unpackOne({ editor }, id) {
  const { unpack } = await import("../core/subgraph.js");
  const { changes, ids } = unpack(editor.document, id);
  editor.edit(changes);
  editor.select(ids);
}

/** @param {Parts} parts @param {string} id */
async function keepOne({ editor, notify }, id) {
  const name = componentName(editor.document.nodes.get(id)?.type ?? "");
  const { keep } = await import("../library.js");
  await keep(name, extract(editor.document, [id]), notify);
}
