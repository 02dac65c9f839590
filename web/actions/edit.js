/** Commands that change the graph: undo, selecting, adding and deleting, order, looks. */

import { downstream, upstream } from "../core/connect.js";
import { TINTS } from "../core/colours.js";
import { setField, setPlace, swapType } from "../core/edits.js";
import { moveSelected } from "../tools/drag.js";
import { growSelected } from "../tools/resize.js";
import { always } from "./action.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {Action, Parts} from "./action.js" */

/** How far an arrow key goes, in world units: to the next line of the grid. */
const STEP = 8;

/** @param {Parts} parts @returns {Action[]} */
export function editActions(parts) {
  const { editor, view, addNode: ask } = parts;
  const some = () => editor.selection.value.size > 0;
  const one = () => editor.selection.value.size === 1;
  const chosen = () => some() || editor.selectedWire.value !== null || editor.selectedFrame.value !== null;
  const stepped = () => editor.version.value >= 0;
  return [
    { id: "undo", title: "action.undo", keys: ["Mod+Z"], enabled: () => stepped() && editor.history.canUndo, run: () => editor.undo() },
    { id: "redo", title: "action.redo", keys: ["Mod+Shift+Z", "Mod+Y"], enabled: () => stepped() && editor.history.canRedo, run: () => editor.redo() },
    { id: "delete", title: "action.delete", keys: ["Delete", "Backspace"], enabled: chosen, run: () => editor.removeSelected() },
    { id: "deleteKeep", title: "action.deleteKeep", keys: ["Shift+Delete", "Shift+Backspace"], enabled: some, run: () => editor.removeKeepingFlow() },
    { id: "duplicate", title: "action.duplicate", keys: ["Mod+D"], enabled: some, run: () => editor.duplicate() },
    { id: "rename", title: "action.rename", keys: ["F2"], enabled: one, run: () => rename(parts) },
    { id: "swap", title: "action.swap", keys: ["Shift+S"], enabled: one, run: () => swap(parts) },
    { id: "find", title: "action.find", keys: ["Mod+F"], everywhere: true, enabled: always, run: () => void import("../panels/find.js").then(({ openFind }) => openFind(parts)) },
    { id: "addNode", title: "action.addNode", keys: ["Tab"], enabled: always, run: () => (editor.selectedWire.peek() === null ? ask() : parts.actions.get("insertNode")?.run()) },
    { id: "addNote", title: "action.addNote", keys: ["N"], enabled: always, run: () => addNote(parts) },
    { id: "arrange", title: "action.arrange", keys: ["Shift+A"], enabled: always, run: () => (editor.arrange(), view.fit()) },
    ...selecting(editor, chosen, some),
    ...ordering(editor),
    ...looks(editor, some),
    ...steps(editor),
  ];
}

/** @param {Editor} editor @param {() => boolean} chosen @param {() => boolean} some @returns {Action[]} */
function selecting(editor, chosen, some) {
  const all = () => [...editor.document.nodes.keys()];
  return [
    { id: "selectAll", title: "action.selectAll", keys: ["Mod+A"], enabled: always, run: () => editor.select(all()) },
    { id: "selectInverse", title: "action.selectInverse", keys: ["Mod+I"], enabled: always, run: () => editor.select(all().filter((id) => !editor.selection.value.has(id))) },
    { id: "selectUpstream", title: "action.selectUpstream", keys: ["["], enabled: some, run: () => editor.select(upstream(editor.document, editor.selection.value)) },
    { id: "selectDownstream", title: "action.selectDownstream", keys: ["]"], enabled: some, run: () => editor.select(downstream(editor.document, editor.selection.value)) },
    { id: "clearSelection", title: "action.clearSelection", keys: ["Escape"], enabled: chosen, run: () => editor.select([]) },
  ];
}

const lines = () => import("../core/align.js");

/** @param {Editor} editor @returns {Action[]} */
function ordering(editor) {
  const edges = /** @type {const} */ ([
    ["left", "action.align.left"], ["centre", "action.align.centre"], ["right", "action.align.right"],
    ["top", "action.align.top"], ["middle", "action.align.middle"], ["bottom", "action.align.bottom"],
  ]);
  const axes = /** @type {const} */ ([["x", "action.distribute.x"], ["y", "action.distribute.y"]]);
  return [
    ...edges.map(([edge, title]) => ({
      id: `align.${edge}`,
      title,
      keys: [],
      enabled: () => editor.selection.value.size > 1,
      run: async () => editor.edit((await lines()).align(editor.document, editor.scene, editor.selection.value, edge)),
    })),
    ...axes.map(([axis, title]) => ({
      id: `distribute.${axis}`,
      title,
      keys: [],
      enabled: () => editor.selection.value.size > 2,
      run: async () => editor.edit((await lines()).distribute(editor.document, editor.scene, editor.selection.value, axis)),
    })),
  ];
}

/** @param {Editor} editor @param {() => boolean} some @returns {Action[]} */
function looks(editor, some) {
  const { selection } = editor;
  const toggleMode = (/** @type {"mute" | "bypass"} */ mode) => {
    const all = [...selection.value].every((id) => editor.document.nodes.get(id)?.mode === mode);
    editor.edit(setField(selection.value, "mode", all ? undefined : mode));
  };
  const togglePlace = (/** @type {"collapsed" | "pinned"} */ name) => {
    const all = [...selection.value].every((id) => editor.document.places.get(id)?.[name] === true);
    editor.edit(setPlace(editor.document, selection.value, name, all ? undefined : true));
  };
  return [
    { id: "mute", title: "action.mute", keys: ["Mod+M"], enabled: some, run: () => toggleMode("mute") },
    { id: "bypass", title: "action.bypass", keys: ["Mod+B"], enabled: some, run: () => toggleMode("bypass") },
    { id: "collapse", title: "action.collapse", keys: ["Alt+C"], enabled: some, run: () => togglePlace("collapsed") },
    { id: "pin", title: "action.pin", keys: ["P"], enabled: some, run: () => togglePlace("pinned") },
    ...["none", ...TINTS].map((tint) => ({
      id: `colour.${tint}`,
      title: /** @type {import("../core/strings.js").StringKey} */ (`colour.${tint}`),
      keys: [],
      enabled: () => some() || editor.selectedFrame.value !== null,
      run: () => colour(editor, tint === "none" ? undefined : tint),
    })),
  ];
}

/** Colour the selected frame, else the selected nodes. @param {Editor} editor @param {string | undefined} tint */
function colour(editor, tint) {
  const id = editor.selectedFrame.value;
  const frame = id === null ? undefined : editor.document.frames.get(id);
  if (id === null || !frame) return editor.edit(setPlace(editor.document, editor.selection.value, "colour", tint));
  const { colour: _, ...rest } = frame;
  editor.edit([{ kind: "frame", id, frame: tint === undefined ? rest : { ...rest, colour: tint } }]);
}

/** Move and resize what is selected, step by step: what follows on the same nodes is undone with it. @param {Editor} editor @returns {Action[]} */
function steps(editor) {
  const ways = /** @type {const} */ ([["Left", -STEP, 0], ["Right", STEP, 0], ["Up", 0, -STEP], ["Down", 0, STEP]]);
  const enabled = () => editor.selection.value.size > 0 || editor.selectedFrame.value !== null;
  const gesture = (/** @type {string} */ kind) => [kind, editor.selectedFrame.peek(), ...editor.selection.peek()].join("\0");
  return ways.flatMap(([way, x, y]) => [
    { id: `nudgeArrow${way}`, title: `action.move${way}`, keys: [`Arrow${way}`], enabled, run: () => moveSelected(editor, { x, y }, gesture("move")) },
    { id: `resize${way}`, title: `action.resize${way}`, keys: [`Shift+Arrow${way}`], enabled, run: () => growSelected(editor, { x, y }, gesture("resize")) },
  ]);
}

/** @param {Parts} parts */
function rename({ editor, view }) {
  const [id] = editor.selection.value;
  view.reveal(id);
  view.focus(id);
  view.nodeView(id)?.editTitle();
}

/** Ask for another kind of node in the place of the selected one. @param {Parts} parts */
function swap({ editor, view, search }) {
  const [id] = editor.selection.value;
  const box = editor.scene.nodes.box(id);
  if (!box) return;
  const rect = view.element.getBoundingClientRect();
  const { x, y, scale } = view.camera;
  const title = editor.document.nodes.get(id)?.title ?? editor.scene.spec(id).title;
  search.open({ x: rect.left + x + box.x * scale, y: rect.top + y + box.y * scale }, null, (spec) => {
    void import("../core/unknown.js").then(({ kindOf }) => {
      editor.edit(swapType(editor.document, id, kindOf(editor), spec));
      editor.select([id]);
      view.focus(id);
    });
  }, title);
}

/** @param {Parts} parts */
function addNote({ editor, view, pointer }) {
  const id = editor.addNote("", view.toWorld(pointer()));
  view.reveal(id);
  view.focus(id);
  view.nodeView(id)?.element.querySelector("textarea")?.focus({ preventScroll: true });
}
