/** Every command of the page: what it is called, its keys, when it can be used, what it does. Menus, buttons and keys are made from this. */

import { isActive } from "./core/run.js";
import { t } from "./core/strings.js";
import { isEditing } from "./dom.js";

/** @import {StringKey} from "./core/strings.js" */
/**
 * @typedef {{id: string, title: StringKey, keys: readonly string[], everywhere?: boolean, enabled: () => boolean, run: () => void}} Action
 *   `everywhere`: its keys work in a text field too
 * @typedef {{editor: import("./core/editor.js").Editor, runner: import("./runner.js").Runner,
 *            workspace: import("./workspace.js").Workspace, view: import("./canvas/view.js").View,
 *            dialogs: import("./panels/dialogs.js").Dialogs, addNode: () => void}} Parts
 */

const NUDGE = 8;

/** @param {Parts} parts @returns {ReadonlyMap<string, Action>} */
export function createActions({ editor, runner, workspace, view, dialogs, addNode }) {
  const always = () => true;
  const chosen = () => editor.selection.value.size > 0 || editor.selectedWire.value !== null;
  const active = () => isActive(runner.run.value);
  const centre = () => ({ x: view.size.w / 2, y: view.size.h / 2 });

  /** @type {Action[]} */
  const actions = [
    { id: "run", title: "action.run", keys: ["Mod+Enter"], everywhere: true, enabled: () => workspace.loaded.value && !active(), run: () => void runner.start() },
    { id: "cancel", title: "action.cancel", keys: ["Mod+Alt+Enter"], everywhere: true, enabled: active, run: () => void runner.cancel() },
    { id: "new", title: "action.new", keys: [], enabled: always, run: () => workspace.empty() },
    { id: "open", title: "action.open", keys: ["Mod+O"], everywhere: true, enabled: always, run: () => void dialogs.open() },
    { id: "save", title: "action.save", keys: ["Mod+S"], everywhere: true, enabled: always, run: () => void dialogs.save() },
    { id: "saveAs", title: "action.saveAs", keys: ["Mod+Shift+S"], everywhere: true, enabled: always, run: () => void dialogs.saveAs() },
    { id: "download", title: "action.download", keys: [], enabled: always, run: () => workspace.download() },
    { id: "undo", title: "action.undo", keys: ["Mod+Z"], enabled: () => editor.version.value >= 0 && editor.history.canUndo, run: () => editor.undo() },
    { id: "redo", title: "action.redo", keys: ["Mod+Shift+Z", "Mod+Y"], enabled: () => editor.version.value >= 0 && editor.history.canRedo, run: () => editor.redo() },
    { id: "delete", title: "action.delete", keys: ["Delete", "Backspace"], enabled: chosen, run: () => editor.removeSelected() },
    { id: "duplicate", title: "action.duplicate", keys: ["Mod+D"], enabled: chosen, run: () => editor.duplicate() },
    { id: "selectAll", title: "action.selectAll", keys: ["Mod+A"], enabled: always, run: () => editor.select(editor.document.nodes.keys()) },
    { id: "clearSelection", title: "action.clearSelection", keys: ["Escape"], enabled: chosen, run: () => editor.select([]) },
    { id: "addNode", title: "action.addNode", keys: ["Tab"], enabled: always, run: addNode },
    { id: "arrange", title: "action.arrange", keys: ["Shift+A"], enabled: always, run: () => (editor.arrange(), view.fit()) },
    { id: "fit", title: "action.fit", keys: [".", "Home"], enabled: always, run: () => view.fit() },
    { id: "zoomIn", title: "action.zoomIn", keys: ["+", "="], enabled: always, run: () => view.zoom(centre(), 1.25) },
    { id: "zoomOut", title: "action.zoomOut", keys: ["-"], enabled: always, run: () => view.zoom(centre(), 0.8) },
    { id: "shortcuts", title: "action.shortcuts", keys: ["?"], enabled: always, run: () => dialogs.shortcuts() },
    ...nudges(editor),
  ];
  return new Map(actions.map((action) => [action.id, action]));
}

/** @param {import("./core/editor.js").Editor} editor @returns {Action[]} */
function nudges(editor) {
  const steps = /** @type {const} */ ([["ArrowLeft", -NUDGE, 0], ["ArrowRight", NUDGE, 0], ["ArrowUp", 0, -NUDGE], ["ArrowDown", 0, NUDGE]]);
  return steps.map(([key, dx, dy]) => ({
    id: `nudge${key}`,
    title: "action.nudge",
    keys: [key],
    enabled: () => editor.selection.value.size > 0,
    run: () => {
      const changes = [...editor.selection.value].map((id) => {
        const place = editor.document.places.get(id) ?? { x: 0, y: 0 };
        return { kind: /** @type {const} */ ("place"), id, place: { ...place, x: place.x + dx, y: place.y + dy } };
      });
      editor.edit(changes, "nudge");
    },
  }));
}

const MAC = navigator.platform.startsWith("Mac");

/** A key press as actions name it: "Mod+Shift+Z". @param {KeyboardEvent} event */
function keyName(event) {
  const mod = MAC ? event.metaKey : event.ctrlKey;
  const letter = event.key.length === 1 && /[a-z]/i.test(event.key);
  const key = letter ? event.key.toUpperCase() : event.key;
  const shift = event.shiftKey && (letter || event.key.length > 1);
  return [mod && "Mod", event.altKey && "Alt", shift && "Shift", key].filter(Boolean).join("+");
}

/** A shortcut as a person reads it. @param {string} keys */
export const keyLabel = (keys) => keys.replace("Mod", MAC ? "⌘" : "Ctrl").replace("Shift", MAC ? "⇧" : "Shift").replace(/^Arrow/, "");

/** What an action is called, with its shortcut. @param {Action} action */
export const describe = (action) => (action.keys[0] ? `${t(action.title)}  (${keyLabel(action.keys[0])})` : t(action.title));

/**
 * Give the keys to the actions. Keys typed into a text field, or while composing a character, stay there.
 * @param {ReadonlyMap<string, Action>} actions
 * @param {(event: KeyboardEvent) => boolean} reserved  true: somebody else's key
 */
export function listenToKeys(actions, reserved) {
  const byKey = new Map([...actions.values()].flatMap((action) => action.keys.map((keys) => [keys, action])));
  addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const action = byKey.get(keyName(event));
    if (!action || (isEditing(event.target) && !action.everywhere) || reserved(event)) return;
    event.preventDefault();
    if (action.enabled()) action.run();
  });
}
