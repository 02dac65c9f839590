/** Commands about the page itself. */

import { always } from "./action.js";

/** @type {import("./action.js").ActionGroup} */
export function appActions(parts) {
  return [
    { id: "shortcuts", title: "action.shortcuts", keys: ["?"], enabled: always, run: () => void import("../panels/shortcuts.js").then(({ openShortcuts }) => openShortcuts(parts)) },
  ];
}
