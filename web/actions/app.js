/** Commands about the page itself. */

import { always } from "./action.js";

/** @type {import("./action.js").ActionGroup} */
export function appActions({ dialogs }) {
  return [{ id: "shortcuts", title: "action.shortcuts", keys: ["?"], enabled: always, run: () => dialogs.shortcuts() }];
}
