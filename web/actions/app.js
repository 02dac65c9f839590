/** Commands about the page itself, and the way about the graph by keyboard. */

import { beside } from "../core/beside.js";
import { viewOf } from "../settings.js";
import { always } from "./action.js";

/** @import {Action} from "./action.js" */

const WAYS = /** @type {const} */ (["Left", "Right", "Up", "Down"]);

/** @type {import("./action.js").ActionGroup} */
export function appActions(parts) {
  const { editor, settings, show } = parts;
  const one = () => editor.selection.value.size > 0;
  /** @type {Action[]} */
  const steps = WAYS.map((way) => ({
    id: `focus${way}`,
    title: `action.focus${way}`,
    keys: [`Alt+Arrow${way}`],
    enabled: () => editor.version.value >= 0 && editor.document.nodes.size > 0,
    run: () => {
      const next = beside(editor.scene, editor.document.nodes.keys(), [...editor.selection.peek()][0] ?? null, way);
      if (next !== null) show(next);
    },
  }));
  return [
    { id: "palette", title: "action.palette", keys: ["Mod+K"], everywhere: true, enabled: always, run: () => void import("../panels/palette.js").then(({ openPalette }) => openPalette(parts)) },
    { id: "settings", title: "action.settings", keys: ["Mod+,"], everywhere: true, enabled: always, run: () => void import("../panels/settings.js").then(({ openSettings }) => openSettings(parts)) },
    { id: "shortcuts", title: "action.shortcuts", keys: ["?"], enabled: always, run: () => void import("../panels/shortcuts.js").then(({ openShortcuts }) => openShortcuts(parts)) },
    { id: "tour", title: "action.tour", keys: [], enabled: always, run: () => void import("../panels/tour.js").then(({ startTour }) => startTour(parts)) },
    { id: "form", title: "action.form", keys: ["F"], enabled: always, run: () => (settings.view.value = viewOf(settings) === "form" ? "graph" : "form") },
    { id: "connect", title: "action.connect", keys: ["C"], enabled: one, run: () => void import("../panels/connect.js").then(({ openConnect }) => openConnect(parts)) },
    { id: "ports", title: "action.ports", keys: ["Shift+C"], enabled: one, run: () => void import("../panels/connect.js").then(({ openPorts }) => openPorts(parts)) },
    ...steps,
  ];
}
