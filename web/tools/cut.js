/** Cutting links with a stroke across them. */

import { unlinkOne } from "../core/edits.js";
import { bezier, pointOn } from "../core/geometry.js";
import { between } from "./tool.js";

/** @import {Wire} from "../core/scene.js" */
/** @import {Point} from "../core/types.js" */
/** @import {Bench, Tool} from "./tool.js" */

const CHORDS = 24;

/** @param {Bench} bench @param {Point} start @param {() => void} click @returns {Tool} */
export function cutTool({ view, editor }, start, click) {
  const stroke = [start];
  /** @type {Map<string, Wire>} */
  const hit = new Map();
  return {
    move(at) {
      const [a, b] = [view.toWorld(/** @type {Point} */ (stroke.at(-1))), view.toWorld(at)];
      stroke.push(at);
      for (const wire of editor.scene.wiresIn(between(a, b))) if (crosses(wire, a, b)) hit.set(wire.key, wire);
      view.setOverlay({ cut: stroke });
    },
    end() {
      view.setOverlay({});
      if (stroke.length === 1) return click();
      const gesture = `cut\0${performance.now()}`;
      for (const { source, output, id, name } of hit.values()) {
        editor.edit(unlinkOne(editor.document, id, name, editor.scene.spec(id), { node: source, output }), gesture);
      }
      editor.seal();
    },
    cancel: () => view.setOverlay({}),
  };
}

/** Whether a link crosses a stretch, over chords. @param {Wire} wire @param {Point} a @param {Point} b */
function crosses(wire, a, b) {
  const curve = bezier(wire.from, wire.to);
  let from = curve[0];
  for (let step = 1; step <= CHORDS; step++) {
    const to = pointOn(curve, step / CHORDS);
    if (side(a, b, from) !== side(a, b, to) && side(from, to, a) !== side(from, to, b)) return true;
    from = to;
  }
  return false;
}

/** On which side of a line a point lies. @param {Point} a @param {Point} b @param {Point} point */
const side = (a, b, point) => (b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x) > 0;
