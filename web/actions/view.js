/** Commands that move the view and say what it shows. */

import { t } from "../core/strings.js";
import { always } from "./action.js";

/** @import {Camera} from "../core/camera.js" */
/** @import {Action, Parts} from "./action.js" */

const MARKS = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

/** @type {import("./action.js").ActionGroup} */
export function viewActions(parts) {
  const { view, editor } = parts;
  const centre = () => ({ x: view.size.w / 2, y: view.size.h / 2 });
  return [
    { id: "fit", title: "action.fit", keys: [".", "Home"], enabled: always, run: () => view.fit() },
    { id: "fitSelection", title: "action.fitSelection", keys: ["Shift+F"], enabled: () => editor.selection.value.size > 0, run: () => view.fit(editor.selection.peek()) },
    { id: "actualSize", title: "action.actualSize", keys: ["0"], enabled: always, run: () => view.zoom(centre(), 1 / view.camera.scale) },
    { id: "zoomIn", title: "action.zoomIn", keys: ["+", "="], enabled: always, run: () => view.zoom(centre(), 1.25) },
    { id: "zoomOut", title: "action.zoomOut", keys: ["-"], enabled: always, run: () => view.zoom(centre(), 0.8) },
    { id: "minimap", title: "action.minimap", keys: ["M"], enabled: always, run: mapSwitch(parts) },
    { id: "hideLinks", title: "action.hideLinks", keys: ["H"], enabled: always, run: () => view.hideLinks() },
    ...marks(parts),
  ];
}

/** The map of the graph is made when it is first wanted. @param {Parts} parts */
function mapSwitch({ view, editor }) {
  /** @type {Promise<{element: HTMLElement, paint: () => void}> | null} */
  let made = null;
  return async () => {
    made ??= import("../canvas/minimap.js").then(({ minimap }) => minimap(view, editor, view.status));
    const { element, paint } = await made;
    if (element.isConnected) return element.remove();
    view.element.append(element);
    paint();
  };
}

/** Places in the graph to come back to, kept with the sheet. @param {Parts} parts @returns {Action[]} */
function marks({ view, editor, notify }) {
  const sheet = () => editor.document.sheet(editor.document.level);
  const marked = () => /** @type {Record<string, Camera> | undefined} */ (sheet().viewRest.marks) ?? {};
  return MARKS.flatMap((mark) => [
    {
      id: `mark.${mark}`, title: "action.mark", keys: [`Mod+Alt+${mark}`], hidden: mark !== "1", enabled: always,
      run: () => {
        sheet().viewRest = { ...sheet().viewRest, marks: { ...marked(), [mark]: { ...view.camera } } };
        notify(t("view.marked", { mark }));
      },
    },
    {
      id: `goTo.${mark}`, title: "action.goToMark", keys: [`Alt+${mark}`], hidden: mark !== "1", enabled: () => editor.version.value >= 0,
      run: () => {
        const { [mark]: camera } = marked();
        if (camera) view.glide(camera);
      },
    },
  ]);
}
