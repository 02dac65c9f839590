/** Commands about documents and files. */

import { always } from "./action.js";

/** @type {import("./action.js").ActionGroup} */
export function fileActions({ workspace, dialogs }) {
  return [
    { id: "new", title: "action.new", keys: [], enabled: always, run: () => workspace.empty() },
    { id: "open", title: "action.open", keys: ["Mod+O"], everywhere: true, enabled: always, run: () => void dialogs.open() },
    { id: "save", title: "action.save", keys: ["Mod+S"], everywhere: true, enabled: always, run: () => void dialogs.save() },
    { id: "saveAs", title: "action.saveAs", keys: ["Mod+Shift+S"], everywhere: true, enabled: always, run: () => void dialogs.saveAs() },
    { id: "download", title: "action.download", keys: [], enabled: always, run: () => workspace.download() },
  ];
}
