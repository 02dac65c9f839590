/** Commands that move the view. */

import { always } from "./action.js";

/** @type {import("./action.js").ActionGroup} */
export function viewActions({ view }) {
  const centre = () => ({ x: view.size.w / 2, y: view.size.h / 2 });
  return [
    { id: "fit", title: "action.fit", keys: [".", "Home"], enabled: always, run: () => view.fit() },
    { id: "zoomIn", title: "action.zoomIn", keys: ["+", "="], enabled: always, run: () => view.zoom(centre(), 1.25) },
    { id: "zoomOut", title: "action.zoomOut", keys: ["-"], enabled: always, run: () => view.zoom(centre(), 0.8) },
  ];
}
