/** Gestures: each is an object with move, end and cancel, born when the pointer goes down and gone when it comes up. */

import * as cameras from "../core/camera.js";
import { matchingPort, refusal } from "../core/connect.js";
import { isLink } from "../core/document.js";
import { link, moveNodes, unlink } from "../core/edits.js";
import { MIN_WIDTH } from "../core/geometry.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {Place, Point, PortRef} from "../core/types.js" */
/** @import {View} from "./view.js" */
/** @typedef {{move: (at: Point, event: PointerEvent) => void, end: (at: Point, event: PointerEvent) => void, cancel: () => void}} Tool */

const SNAP = 8;
const CLICK = 4;

/** @param {Point} a @param {Point} b */
const apart = (a, b) => Math.hypot(a.x - b.x, a.y - b.y) > CLICK;

/** Move the view. A press without a move is a click. @param {View} view @param {Point} start @param {() => void} click @returns {Tool} */
export function panTool(view, start, click) {
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

/** Move the selected nodes, on a grid of 8. @param {View} view @param {Editor} editor @param {Point} start @param {() => void} click @returns {Tool} */
export function dragTool(view, editor, start, click) {
  /** @type {Map<string, Place>} */
  const places = new Map([...editor.selection.value].map((id) => [id, editor.document.places.get(id) ?? { x: 0, y: 0 }]));
  const gesture = `drag\0${performance.now()}`;
  let moved = false;
  return {
    move(at) {
      moved ||= apart(start, at);
      if (!moved) return;
      const snap = (/** @type {number} */ value) => Math.round(value / view.camera.scale / SNAP) * SNAP;
      editor.edit(moveNodes(places, { x: snap(at.x - start.x), y: snap(at.y - start.y) }), gesture);
    },
    end() {
      editor.seal();
      if (!moved) click();
    },
    cancel() {
      if (moved) editor.edit(moveNodes(places, { x: 0, y: 0 }), gesture);
      editor.seal();
    },
  };
}

/** Make a node larger or smaller. @param {View} view @param {Editor} editor @param {string} id @param {Point} start @returns {Tool} */
export function resizeTool(view, editor, id, start) {
  const box = editor.scene.nodes.box(id) ?? { w: MIN_WIDTH, h: 0 };
  const place = editor.document.places.get(id) ?? { x: 0, y: 0 };
  const gesture = `resize\0${performance.now()}`;
  return {
    move(at) {
      const grow = (/** @type {number} */ from, /** @type {number} */ by) => Math.round((from + by / view.camera.scale) / SNAP) * SNAP;
      const w = Math.max(MIN_WIDTH, grow(box.w, at.x - start.x));
      editor.edit([{ kind: "place", id, place: { ...place, w, h: grow(box.h, at.y - start.y) } }], gesture);
    },
    end() {
      editor.seal();
    },
    cancel() {
      editor.edit([{ kind: "place", id, place }], gesture);
      editor.seal();
    },
  };
}

/** Select the nodes a box touches. @param {View} view @param {Editor} editor @param {Point} start @param {boolean} add @returns {Tool} */
export function boxTool(view, editor, start, add) {
  const before = add ? [...editor.selection.value] : [];
  return {
    move(at) {
      const box = { x: Math.min(start.x, at.x), y: Math.min(start.y, at.y), w: Math.abs(at.x - start.x), h: Math.abs(at.y - start.y) };
      view.setOverlay({ box });
      const { scale } = view.camera;
      const corner = view.toWorld(box);
      editor.select([...before, ...editor.scene.nodes.query({ ...corner, w: box.w / scale, h: box.h / scale })]);
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

/**
 * Draw a link from a port, or take up the one that arrives at an input. On a port it links, on a node it finds the
 * fitting port, on empty canvas it asks for a node to add.
 * @param {View} view
 * @param {Editor} editor
 * @param {PortRef} grabbed
 * @param {(from: PortRef, at: Point) => void} ask
 * @returns {Tool}
 */
export function linkTool(view, editor, grabbed, ask) {
  const carried = grabbed.side === "input" ? editor.document.input(grabbed.node, grabbed.port) : undefined;
  const type = isLink(carried) ? editor.scene.wire(`${grabbed.node}\0${grabbed.port}`)?.type : undefined;
  /** @type {PortRef} */
  const from = isLink(carried) ? { node: carried.node, port: carried.output, side: "output", type: type ?? grabbed.type } : grabbed;
  const origin = editor.scene.portPoint(from) ?? { x: 0, y: 0 };
  const why = (/** @type {PortRef} */ ref) => (isSame(ref, grabbed) && from !== grabbed ? null : refusal(editor.document, from, ref));
  view.light(why);

  /** @param {Point} at @returns {PortRef | null} */
  const portUnder = (at) => {
    const world = view.toWorld(at);
    const near = editor.scene.portAt(world, 14 / Math.min(1, view.camera.scale));
    if (near) return near;
    const id = editor.scene.nodeAt(world);
    const name = id === null ? null : matchingPort(editor.scene.spec(id), from);
    if (id === null || name === null) return null;
    return editor.scene.ports(id).find((ref) => ref.side !== from.side && ref.port === name) ?? null;
  };
  const finish = () => {
    view.light(null);
    view.setOverlay({});
  };
  return {
    move(at) {
      const port = portUnder(at);
      const reason = port && !isSame(port, from) ? why(port) : null;
      const to = port && reason === null && !isSame(port, from) ? (editor.scene.portPoint(port) ?? view.toWorld(at)) : view.toWorld(at);
      view.setOverlay({ link: { from: origin, to, type: from.type, reversed: from.side === "input" }, note: reason ? { text: reason, at } : undefined });
    },
    end(at) {
      finish();
      const port = portUnder(at);
      if (port && isSame(port, grabbed)) return;
      const landed = port !== null && why(port) === null;
      const lifted = from !== grabbed && (landed || port === null);
      const changes = lifted ? unlink(grabbed.node, grabbed.port, editor.scene.spec(grabbed.node)) : [];
      if (landed && port) {
        const [source, target] = from.side === "output" ? [from, port] : [port, from];
        changes.push(...link({ node: source.node, output: source.port }, target.node, target.port));
      }
      editor.edit(changes);
      if (port === null && from === grabbed && editor.scene.nodeAt(view.toWorld(at)) === null) ask(from, at);
    },
    cancel: finish,
  };
}

/** @param {PortRef} a @param {PortRef} b */
const isSame = (a, b) => a.node === b.node && a.port === b.port && a.side === b.side;
