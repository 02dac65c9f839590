/** Between gestures: which tool a press begins. */

import { frameAt, membersOf } from "../core/frames.js";
import { removal } from "../core/removal.js";
import { cutTool } from "./cut.js";
import { dragFrameTool, dragTool } from "./drag.js";
import { lazyTool, linksTool, linkTool } from "./link.js";
import { panTool } from "./pan.js";
import { resizeFrameTool, resizeTool } from "./resize.js";
import { boxTool, lassoTool } from "./select.js";
import { apart } from "./tool.js";

/** @import {Point, PortRef} from "../core/types.js" */
/** @import {Bench, Tool} from "./tool.js" */

const INTERACTIVE = "input, textarea, select, button:not(.port), a, label, summary, [data-brought]";

/**
 * The tool for a press; null when the press is none of the canvas's business.
 * @param {Bench} bench
 * @param {Element} target
 * @param {Point} at  from the corner of the view
 * @param {PointerEvent} event
 * @param {boolean} panning  a key asks for moving the view
 * @returns {Tool | null}
 */
export function toolFor(bench, target, at, event, panning) {
  const { view, editor } = bench;
  const world = view.toWorld(at);
  const id = target.closest("[data-node]")?.getAttribute("data-node") ?? editor.scene.nodeAt(world);
  if (event.button === 1 || (event.button === 0 && panning)) return panTool(bench, at, () => {});
  if (event.button === 2) return event.altKey && id !== null ? lazyTool(bench, id) : event.ctrlKey ? cutTool(bench, at, () => {}) : null;
  if (event.button !== 0 || target.closest(INTERACTIVE)) return null;
  const port = portOf(target, id);
  if (port) return portTool(bench, port, at, event);
  if (id !== null && target.closest("[data-grip]")) return resizeTool(bench, id, at);
  if (id !== null) return nodeTool(bench, id, at, event);
  return frameTool(bench, at) ?? emptyTool(bench, at, event);
}

/** @param {Bench} bench @param {PortRef} port @param {Point} at @param {PointerEvent} event @returns {Tool} */
function portTool(bench, port, at, event) {
  if (event.altKey) {
    bench.editor.unlink(port.node, port.port);
    return panTool(bench, at, () => {});
  }
  return event.shiftKey && port.side === "output" ? linksTool(bench, port) : linkTool(bench, port);
}

/** @param {Bench} bench @param {string} id @param {Point} at @param {PointerEvent} event @returns {Tool} */
function nodeTool(bench, id, at, event) {
  const { editor } = bench;
  const add = event.shiftKey || event.ctrlKey || event.metaKey;
  const selected = editor.selection.value;
  const was = selected.has(id);
  if (!was) editor.select(add ? [...selected, id] : [id]);
  if (event.altKey) return copyTool(bench, at);
  return dragTool(bench, at, () => {
    if (add && was) editor.select([...editor.selection.value].filter((other) => other !== id));
    else if (!add) editor.select([id]);
  });
}

/** Drag copies of the selected nodes off them; there are none before they move. @param {Bench} bench @param {Point} start @returns {Tool} */
function copyTool(bench, start) {
  const { editor } = bench;
  const originals = editor.selection.value;
  const gesture = `copy\0${performance.now()}`;
  /** @type {Tool | null} */
  let drag = null;
  const leave = () => {
    editor.edit(removal(editor.document, editor.selection.value, null), gesture);
    editor.seal();
    editor.select(originals);
  };
  return {
    follows: true,
    move(at, event) {
      if (!drag && apart(start, at)) {
        editor.duplicate(0, gesture);
        drag = dragTool(bench, start, leave, gesture);
      }
      drag?.move(at, event);
    },
    end: (at, event) => drag?.end(at, event),
    cancel() {
      drag?.cancel();
      if (drag) leave();
    },
  };
}

/** @param {Bench} bench @param {Point} at @returns {Tool | null} */
function frameTool(bench, at) {
  const { view, editor } = bench;
  const frame = frameAt(editor.document, view.toWorld(at));
  if (!frame) return null;
  editor.selectFrame(frame.id, membersOf(editor.document, frame.id));
  return frame.part === "grip" ? resizeFrameTool(bench, frame.id, at) : dragFrameTool(bench, frame.id, at);
}

/** @param {Bench} bench @param {Point} at @param {PointerEvent} event @returns {Tool} */
function emptyTool(bench, at, event) {
  const { view, editor } = bench;
  const click = () => {
    const wire = editor.scene.wireAt(view.toWorld(at), 6 / view.camera.scale);
    if (wire) editor.selectWire(wire.key);
    else editor.select([]);
  };
  if (event.altKey) return cutTool(bench, at, click);
  if (event.ctrlKey || event.metaKey) return lassoTool(bench, at, event.shiftKey);
  if (event.shiftKey) return boxTool(bench, at, true);
  return panTool(bench, at, click);
}

/** @param {Element} target @param {string | null} id @returns {PortRef | null} */
function portOf(target, id) {
  const port = target.closest("[data-port]");
  if (!port || id === null) return null;
  const side = port.getAttribute("data-side") === "output" ? "output" : "input";
  return { node: id, port: port.getAttribute("data-port") ?? "", side, type: port.getAttribute("data-type") ?? "" };
}
