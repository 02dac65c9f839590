/** Commands that run the workflow. */

import { isActive } from "../core/run.js";

/** @type {import("./action.js").ActionGroup} */
export function runActions({ runner, workspace }) {
  const active = () => isActive(runner.run.value);
  return [
    { id: "run", title: "action.run", keys: ["Mod+Enter"], everywhere: true, enabled: () => workspace.loaded.value && !active(), run: () => void runner.start() },
    { id: "cancel", title: "action.cancel", keys: ["Mod+Alt+Enter"], everywhere: true, enabled: active, run: () => void runner.cancel() },
  ];
}
