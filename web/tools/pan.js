/** Moving the view. A press without a move is a click. */

import * as cameras from "../core/camera.js";
import { apart } from "./tool.js";

/** @import {Point} from "../core/types.js" */
/** @import {Bench, Tool} from "./tool.js" */

/** @param {Bench} bench @param {Point} start @param {() => void} click @returns {Tool} */
export function panTool({ view }, start, click) {
  let last = start;
  let moved = false;
  return {
    move(at) {
      moved ||= apart(start, at);
      if (!moved) return;
      view.setCamera(cameras.pan(view.camera, at.x - last.x, at.y - last.y));
      last = at;
    },
    end() {
      if (!moved) click();
    },
    cancel() {},
  };
}
