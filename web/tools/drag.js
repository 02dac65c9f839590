/**
 * Moving nodes and frames. They are lifted off the view while they move; one edit at the end says where they are. They
 * keep to a grid of 8 and come in line with their neighbours where a person wants that, and while Ctrl is held the other
 * way round; one node that is not linked yet goes into the link it is dropped on; what is dropped in a frame belongs to it.
 */

import { insertOnLink, moveNodes } from "../core/edits.js";
import { dropIntoFrames, framesCarriedBy, framesIn, membersOf, moveFrames } from "../core/frames.js";
import { linksOf } from "../core/level.js";
import { pushAside, snapped, snapToNeighbours } from "../core/tidy.js";
import { apart, boxOf, inView } from "./tool.js";

/** @import {Change} from "../core/document.js" */
/** @import {Editor} from "../core/editor.js" */
/** @import {Box, Frame, Place, Point} from "../core/types.js" */
/** @import {Bench, Tool} from "./tool.js" */

const REACH = 6;

/** Move the selected nodes. @param {Bench} bench @param {Point} start @param {() => void} click  when they stay where they are @param {string} gesture @returns {Tool} */
export function dragTool(bench, start, click, gesture = `drag\0${performance.now()}`) {
  const { ids, frames } = loadOf(bench.editor);
  return dragging(bench, start, ids, frames, click, gesture);
}

/** Move a frame and all it carries. @param {Bench} bench @param {string} frame @param {Point} start @returns {Tool} */
export function dragFrameTool(bench, frame, start) {
  const { document } = bench.editor;
  return dragging(bench, start, membersOf(document, frame), framesIn(document, frame), () => {}, `drag\0${performance.now()}`);
}

/**
 * @param {Bench} bench
 * @param {Point} start
 * @param {ReadonlySet<string>} ids
 * @param {readonly string[]} frames
 * @param {() => void} click
 * @param {string} gesture
 * @returns {Tool}
 */
function dragging({ view, editor, snaps }, start, ids, frames, click, gesture) {
  const { document } = editor;
  const outer = frames.flatMap((id) => document.frames.get(id) ?? [])[0];
  const box = outer ?? boxOf(editor, ids) ?? { x: 0, y: 0, w: 0, h: 0 };
  const single = ids.size === 1 && frames.length === 0 ? [...ids][0] : null;
  const loose = single !== null && isLoose(editor, single) ? single : null;
  const from = view.toWorld(start);
  const neighbours = neighboursOf(view, editor, ids);
  let offset = { x: 0, y: 0 };
  let moved = false;
  const finish = () => {
    view.setOverlay({});
    view.hoveredWire = null;
    view.drop();
  };
  return {
    follows: true,
    move(at, event) {
      if (!moved && !apart(start, at)) return;
      if (!moved) view.lift(ids);
      moved = true;
      const { scale } = view.camera;
      const here = view.toWorld(at);
      const free = (event.ctrlKey || event.metaKey) === snaps();
      const placed = free ? Math.round : snapped;
      const to = { x: placed(box.x + here.x - from.x), y: placed(box.y + here.y - from.y) };
      const near = free ? null : snapToNeighbours(neighbours(), { ...box, ...to }, REACH / scale);
      offset = { x: to.x + (near?.x ?? 0) - box.x, y: to.y + (near?.y ?? 0) - box.y };
      view.moveLifted(offset);
      if (loose !== null) view.hoveredWire = editor.scene.wireAt(here, 12 / scale)?.key ?? null;
      const ghosts = frames.flatMap((id) => document.frames.get(id) ?? []).map((frame) => ({ x: frame.x + offset.x, y: frame.y + offset.y, w: frame.w, h: frame.h }));
      view.setOverlay({ guides: near?.guides, ghosts });
    },
    end() {
      const wire = view.hoveredWire === null ? undefined : editor.scene.wire(view.hoveredWire);
      if (offset.x === 0 && offset.y === 0) {
        if (moved) finish();
        return click();
      }
      putDown(editor, ids, frames, offset, gesture);
      if (loose !== null && wire) putInto(editor, loose, wire, gesture);
      editor.seal();
      finish();
    },
    cancel: finish,
  };
}

/** Boxes in view but for those of some nodes, looked up when the view is another. @param {Bench["view"]} view @param {Editor} editor @param {ReadonlySet<string>} ids */
function neighboursOf(view, { scene }, ids) {
  let [camera, boxes] = [/** @type {unknown} */ (null), /** @type {Box[]} */ ([])];
  return () => {
    if (camera === view.camera) return boxes;
    camera = view.camera;
    return (boxes = [...scene.nodes.query(inView(view))].flatMap((id) => (ids.has(id) ? [] : (scene.nodes.box(id) ?? []))));
  };
}

/** The selected nodes that are not pinned, and the frames they carry. @param {Editor} editor */
function loadOf({ document, selection }) {
  const ids = new Set([...selection.value].filter((id) => !document.places.get(id)?.pinned));
  return { ids, frames: framesCarriedBy(document, ids) };
}

/** Move the selected frame and all it carries, else the selected nodes. @param {Editor} editor @param {Point} offset @param {string} gesture */
export function moveSelected(editor, offset, gesture) {
  const { document } = editor;
  const frame = editor.selectedFrame.peek();
  const { ids, frames } = frame === null ? loadOf(editor) : { ids: membersOf(document, frame), frames: framesIn(document, frame) };
  putDown(editor, ids, frames, offset, gesture);
}

/** @param {Editor} editor @param {ReadonlySet<string>} ids @param {readonly string[]} frames @param {Point} offset @param {string} gesture */
function putDown(editor, ids, frames, offset, gesture) {
  editor.edit(moves(editor, ids, frames, offset), gesture);
  editor.edit(dropIntoFrames(editor.document, editor.scene, ids, frames), gesture);
}

/** @param {Editor} editor @param {ReadonlySet<string>} ids @param {readonly string[]} frames @param {Point} offset @returns {Change[]} */
function moves(editor, ids, frames, offset) {
  const { places, frames: all } = editor.document;
  const nodes = new Map([...ids].map((id) => [id, /** @type {Place} */ (places.get(id) ?? { x: 0, y: 0 })]));
  return [...moveNodes(nodes, offset), ...moveFrames(new Map(frames.map((id) => [id, /** @type {Frame} */ (all.get(id))])), offset)];
}

/** Put a node that is linked to nothing yet into a link, what is in the way moved aside. @param {Editor} editor @param {string} id @param {import("../core/scene.js").Wire} wire @param {string} gesture */
export function putInto(editor, id, wire, gesture) {
  const target = editor.scene.spec(wire.id).inputs.find((input) => input.name === wire.name)?.type ?? "Any";
  const changes = insertOnLink(editor.document, id, editor.scene.spec(id), wire, target);
  if (!changes) return;
  editor.edit(changes, gesture);
  editor.edit(pushAside(editor.document, editor.scene, id), gesture);
}

/** Whether a node is linked to nothing yet. @param {Editor} editor @param {string} id */
function isLoose({ document }, id) {
  const reads = Object.values(document.nodes.get(id)?.inputs ?? {}).some((value) => linksOf(value).length > 0);
  return !reads && [...document.readers(id)].length === 0;
}
