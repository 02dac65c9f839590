/** Commands that change the graph. */

import { always } from "./action.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {Action} from "./action.js" */

const NUDGE = 8;

/** @type {import("./action.js").ActionGroup} */
export function editActions({ editor, view, addNode }) {
  const chosen = () => editor.selection.value.size > 0 || editor.selectedWire.value !== null;
  return [
    { id: "undo", title: "action.undo", keys: ["Mod+Z"], enabled: () => editor.version.value >= 0 && editor.history.canUndo, run: () => editor.undo() },
    { id: "redo", title: "action.redo", keys: ["Mod+Shift+Z", "Mod+Y"], enabled: () => editor.version.value >= 0 && editor.history.canRedo, run: () => editor.redo() },
    { id: "delete", title: "action.delete", keys: ["Delete", "Backspace"], enabled: chosen, run: () => editor.removeSelected() },
    { id: "duplicate", title: "action.duplicate", keys: ["Mod+D"], enabled: chosen, run: () => editor.duplicate() },
    { id: "selectAll", title: "action.selectAll", keys: ["Mod+A"], enabled: always, run: () => editor.select(editor.document.nodes.keys()) },
    { id: "clearSelection", title: "action.clearSelection", keys: ["Escape"], enabled: chosen, run: () => editor.select([]) },
    { id: "addNode", title: "action.addNode", keys: ["Tab"], enabled: always, run: addNode },
    { id: "arrange", title: "action.arrange", keys: ["Shift+A"], enabled: always, run: () => (editor.arrange(), view.fit()) },
    ...nudges(editor),
  ];
}

/** @param {Editor} editor @returns {Action[]} */
function nudges(editor) {
  const steps = /** @type {const} */ ([["ArrowLeft", -NUDGE, 0], ["ArrowRight", NUDGE, 0], ["ArrowUp", 0, -NUDGE], ["ArrowDown", 0, NUDGE]]);
  return steps.map(([key, dx, dy]) => ({
    id: `nudge${key}`,
    title: "action.nudge",
    keys: [key],
    hidden: true,
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
