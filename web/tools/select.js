/** Selecting nodes by a box or a lasso around them. */

import { toScreen } from "../core/camera.js";
import { between } from "./tool.js";

/** @import {Point} from "../core/types.js" */
/** @import {Bench, Tool} from "./tool.js" */

/** The nodes a box touches. @param {Bench} bench @param {Point} start @param {boolean} add @returns {Tool} */
export function boxTool({ view, editor }, start, add) {
  const before = add ? [...editor.selection.value] : [];
  const from = view.toWorld(start);
  return {
    follows: true,
    move(at) {
      view.setOverlay({ box: between(toScreen(view.camera, from), at) });
      editor.select([...before, ...editor.scene.nodes.query(between(from, view.toWorld(at)))]);
    },
    end() {
      view.setOverlay({});
    },
    cancel() {
      view.setOverlay({});
      editor.select(before);
    },
  };
}

/** The nodes whose middle a lasso goes around. @param {Bench} bench @param {Point} start @param {boolean} add @returns {Tool} */
export function lassoTool({ view, editor }, start, add) {
  const before = add ? [...editor.selection.value] : [];
  const lasso = [start];
  return {
    move(at) {
      lasso.push(at);
      view.setOverlay({ lasso });
      const outline = lasso.map((point) => view.toWorld(point));
      const [xs, ys] = [outline.map((point) => point.x), outline.map((point) => point.y)];
      const area = between({ x: Math.min(...xs), y: Math.min(...ys) }, { x: Math.max(...xs), y: Math.max(...ys) });
      const inside = [...editor.scene.nodes.query(area)].filter((id) => {
        const box = editor.scene.nodes.box(id);
        return box && surrounds(outline, { x: box.x + box.w / 2, y: box.y + box.h / 2 });
      });
      editor.select([...before, ...inside]);
    },
    end() {
      view.setOverlay({});
    },
    cancel() {
      view.setOverlay({});
      editor.select(before);
    },
  };
}

/** Whether a point is inside a closed line: a ray from it crosses the line an odd number of times. @param {readonly Point[]} outline @param {Point} point */
function surrounds(outline, { x, y }) {
  let inside = false;
  for (const [index, a] of outline.entries()) {
    const b = outline[(index + 1) % outline.length];
    if (a.y > y !== b.y > y && x < a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x)) inside = !inside;
  }
  return inside;
}
