/** Moving the view. A press without a move is a click. */

import * as cameras from "../core/camera.js";
import { apart } from "./tool.js";

/** @import {Point} from "../core/types.js" */
/** @import {Bench, Tool} from "./tool.js" */

/** @param {Bench} bench @param {Point} start @param {() => void} click @returns {Tool} */
export function panTool({ view }, start, click) {
  const camera = view.camera;
  let moved = false;
  return {
    move(at) {
      moved ||= apart(start, at);
      if (moved) view.setCamera(cameras.pan(camera, at.x - start.x, at.y - start.y));
    },
    end() {
      if (!moved) click();
    },
    cancel() {
      view.setCamera(camera);
    },
  };
}
