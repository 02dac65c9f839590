/** Commands about the page itself, and the way about the graph by keyboard. */

import { beside } from "../core/beside.js";
import { effect } from "../core/store.js";
import { viewOf } from "../settings.js";
import { always } from "./action.js";
import { chosen } from "./links.js";

/** @import {Box} from "../core/types.js" */
/** @import {Action} from "./action.js" */

const WAYS = /** @type {const} */ (["Left", "Right", "Up", "Down"]);

/** @type {import("./action.js").ActionGroup} */
export function appActions(parts) {
  const { editor, settings, show } = parts;
  const one = () => editor.selection.value.size > 0;
  /** Where the selection last was: from there it goes on when that is deleted. @type {Box | undefined} */
  let last;
  effect(() => {
    last = editor.scene.nodes.box([...editor.selection.value].at(-1) ?? "") ?? last;
  });
  /** @type {Action[]} */
  const steps = WAYS.flatMap((way) => {
    const enabled = () => editor.version.value >= 0 && editor.document.nodes.size > 0;
    const go = (/** @type {boolean} */ keep) => {
      const selected = [...editor.selection.peek()];
      const start = editor.scene.nodes.box(selected.at(-1) ?? "") ?? last;
      const wire = chosen(editor);
      const end = { Left: wire?.source, Right: wire?.id, Up: undefined, Down: undefined }[way];
      const next = end ?? beside(editor.scene, editor.document.nodes.keys(), start, way);
      if (next !== null) show(next, keep ? selected.filter((id) => id !== next) : []);
    };
    return [
      { id: `focus${way}`, title: `action.focus${way}`, keys: [`Alt+Arrow${way}`], enabled, run: () => go(false) },
      { id: `extend${way}`, title: `action.extend${way}`, keys: [`Alt+Shift+Arrow${way}`], enabled, run: () => go(true) },
    ];
  });
  return [
    { id: "palette", title: "action.palette", keys: ["Mod+K"], everywhere: true, enabled: always, run: () => void import("../panels/palette.js").then(({ openPalette }) => openPalette(parts)) },
    { id: "settings", title: "action.settings", keys: ["Mod+,"], everywhere: true, enabled: always, run: () => void import("../panels/settings.js").then(({ openSettings }) => openSettings(parts)) },
    { id: "shortcuts", title: "action.shortcuts", keys: ["?"], enabled: always, run: () => void import("../panels/shortcuts.js").then(({ openShortcuts }) => openShortcuts(parts)) },
    { id: "tour", title: "action.tour", keys: [], enabled: always, run: () => void import("../panels/tour.js").then(({ startTour }) => startTour(parts)) },
    { id: "form", title: "action.form", keys: ["F"], enabled: always, run: () => (settings.view.value = viewOf(settings) === "form" ? "graph" : "form") },
    { id: "nextPlace", title: "action.nextPlace", keys: ["F6"], everywhere: true, enabled: always, run: () => void import("../focus.js").then(({ goRound }) => goRound(1)) },
    { id: "previousPlace", title: "action.previousPlace", keys: ["Shift+F6"], everywhere: true, enabled: always, run: () => void import("../focus.js").then(({ goRound }) => goRound(-1)) },
    { id: "connect", title: "action.connect", keys: ["C"], enabled: () => one() || chosen(editor) !== undefined, run: () => (chosen(editor) ? parts.actions.get("relink")?.run() : void import("../panels/connect.js").then(({ openConnect }) => openConnect(parts))) },
    { id: "ports", title: "action.ports", keys: ["Shift+C"], enabled: one, run: () => void import("../panels/connect.js").then(({ openPorts }) => openPorts(parts)) },
    ...steps,
  ];
}
