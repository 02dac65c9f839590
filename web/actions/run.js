/** Commands that run the workflow. */

import { retry } from "../api.js";
import { isActive } from "../core/run.js";

/** @type {import("./action.js").ActionGroup} */
export function runActions({ editor, engine, runner, workspace }) {
  const active = () => isActive(runner.run.value);
  const loaded = () => workspace.loaded.value;
  const chosen = () => editor.selection.value.size > 0;
  return [
    { id: "run", title: "action.run", keys: ["Mod+Enter"], everywhere: true, enabled: () => loaded() && !active(), run: () => void runner.start() },
    { id: "cancel", title: "action.cancel", keys: ["Mod+Alt+Enter"], everywhere: true, enabled: active, run: () => void runner.cancel() },
    { id: "runHere", title: "action.runHere", keys: ["Mod+Shift+H"], enabled: () => loaded() && chosen(), run: () => void runner.enqueue({ targets: [...editor.selection.peek()] }) },
    { id: "enqueue", title: "action.enqueue", keys: ["Mod+Shift+Enter"], everywhere: true, enabled: loaded, run: () => void runner.enqueue() },
    { id: "enqueueFirst", title: "action.enqueueFirst", keys: [], enabled: loaded, run: () => void runner.enqueue({ first: true }) },
    { id: "reconnect", title: "action.reconnect", keys: [], enabled: () => engine.state.value === "offline", run: () => retry.now() },
    { id: "auto", title: "action.auto", keys: [], enabled: loaded, run: () => runner.auto.update((on) => !on) },
  ];
}
