/**
 * Drawing links. From a port, or taking up the one that arrives at an input; with Shift from an output, all its links at
 * once. On a port it links, on a node it finds the fitting port, on empty canvas it asks for a node to add.
 */

import { fits, matchingPort, refusal } from "../core/connect.js";
import { relink, unlinkOne } from "../core/edits.js";
import { linksOf } from "../core/level.js";
import { t } from "../core/strings.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {Point, PortRef} from "../core/types.js" */
/** @import {Bench, Tool} from "./tool.js" */

/** How near a port must be, in screen units. */
const NEAR = 14;

/** @param {PortRef} a @param {PortRef} b */
const isSame = (a, b) => a.node === b.node && a.port === b.port && a.side === b.side;

/** The port at a point, or the one of the node there that fits. @param {Bench} bench @param {PortRef} from @param {Point} at @returns {PortRef | null} */
function portUnder({ view, editor }, from, at) {
  const world = view.toWorld(at);
  const near = editor.scene.portAt(world, NEAR / Math.min(1, view.camera.scale));
  if (near) return near;
  const id = editor.scene.nodeAt(world);
  const name = id === null ? null : matchingPort(editor.scene.spec(id), from);
  if (id === null || name === null) return null;
  return editor.scene.ports(id).find((ref) => ref.side !== from.side && ref.port === name) ?? null;
}

/** @param {Bench} bench @param {PortRef} grabbed @returns {Tool} */
export function linkTool(bench, grabbed) {
  const { view, editor } = bench;
  const carried = grabbed.side === "input" ? linksOf(editor.document.input(grabbed.node, grabbed.port)).at(-1) : undefined;
  /** @type {PortRef} */
  const from = carried
    ? { node: carried.node, port: carried.output, side: "output", type: editor.catalogue.typeOf(editor.document, carried) }
    : grabbed;
  const origin = editor.scene.portPoint(from) ?? { x: 0, y: 0 };
  const why = (/** @type {PortRef} */ ref) => (carried && isSame(ref, grabbed) ? null : refusal(editor.document, from, ref));
  view.light(why);
  const finish = () => {
    view.light(null);
    view.setOverlay({});
  };
  return {
    follows: true,
    move(at) {
      const port = portUnder(bench, from, at);
      const other = port && !isSame(port, from) ? port : null;
      const reason = other ? why(other) : null;
      const to = other && reason === null ? (editor.scene.portPoint(other) ?? view.toWorld(at)) : view.toWorld(at);
      view.setOverlay({ link: { from: origin, to, type: from.type, reversed: from.side === "input" }, note: reason ? { text: reason, at } : undefined });
    },
    end(at) {
      finish();
      const port = portUnder(bench, from, at);
      if (port && isSame(port, grabbed)) return;
      const landed = port !== null && why(port) === null;
      const gesture = `link\0${performance.now()}`;
      if (carried && (landed || port === null)) {
        editor.edit(unlinkOne(editor.document, grabbed.node, grabbed.port, editor.scene.spec(grabbed.node), carried), gesture);
      }
      if (landed && port) editor.edit(editor.joining(from, port), gesture);
      editor.seal();
      const empty = port === null && !carried && editor.scene.nodeAt(view.toWorld(at)) === null;
      // Asked after this pointer is up, which would count as a press outside the box.
      if (empty) setTimeout(() => bench.ask({ at, from }));
    },
    cancel: finish,
  };
}

/** Move all links of an output to another one. @param {Bench} bench @param {PortRef} from @returns {Tool} */
export function linksTool(bench, from) {
  const { view, editor } = bench;
  const wires = [...editor.document.readers(from.node)].flatMap(({ id, name }) => {
    const reads = linksOf(editor.document.input(id, name)).some((link) => link.node === from.node && link.output === from.port);
    const to = editor.scene.portPoint({ node: id, port: name, side: "input", type: from.type });
    return reads && to ? [{ id, name, to }] : [];
  });
  const why = (/** @type {PortRef} */ ref) => {
    if (ref.side === "input") return t("connect.twoInputs");
    for (const { id, name } of wires) {
      const type = editor.scene.spec(id).inputs.find((input) => input.name === name)?.type ?? from.type;
      const reason = fits(ref.type, type) ? refusal(editor.document, ref, { node: id, port: name, side: "input", type }) : t("connect.type", { input: name, expected: type, got: ref.type });
      if (reason) return reason;
    }
    return null;
  };
  view.light(why);
  const finish = () => {
    view.light(null);
    view.setOverlay({});
  };
  return {
    follows: true,
    move(at) {
      const port = editor.scene.portAt(view.toWorld(at), NEAR / Math.min(1, view.camera.scale));
      const reason = port && !isSame(port, from) ? why(port) : null;
      const end = (port && reason === null ? editor.scene.portPoint(port) : null) ?? view.toWorld(at);
      view.setOverlay({
        links: wires.map(({ to }) => ({ from: end, to, type: from.type, reversed: false })),
        note: { text: reason ?? t("link.keep", { count: wires.length }), at },
      });
    },
    end(at) {
      finish();
      const port = editor.scene.portAt(view.toWorld(at), NEAR / Math.min(1, view.camera.scale));
      if (!port || isSame(port, from) || why(port) !== null) return;
      const gesture = `links\0${performance.now()}`;
      for (const { id, name } of wires) {
        const moved = (/** @type {import("../core/types.js").Link} */ link) => (link.node === from.node && link.output === from.port ? { node: port.node, output: port.port } : link);
        editor.edit([relink(editor.document, id, name, moved)], gesture);
      }
      editor.seal();
    },
    cancel: finish,
  };
}

/** Join two nodes by dragging from anywhere in one to anywhere in the other: the first output that fits a free input. @param {Bench} bench @param {string} id @returns {Tool} */
export function lazyTool({ view, editor }, id) {
  const box = /** @type {import("../core/types.js").Box} */ (editor.scene.nodes.box(id));
  const origin = { x: box.x + box.w / 2, y: box.y + box.h / 2 };
  const pairOf = (/** @type {Point} */ at) => {
    const other = editor.scene.nodeAt(view.toWorld(at));
    return other === null || other === id ? null : likelyPair(editor, id, other);
  };
  return {
    follows: true,
    move(at) {
      const pair = pairOf(at);
      view.setOverlay({ link: { from: origin, to: view.toWorld(at), type: pair?.[0].type ?? "Any", reversed: false } });
    },
    end(at) {
      view.setOverlay({});
      const pair = pairOf(at);
      if (pair) editor.edit(editor.joining(...pair));
    },
    cancel: () => view.setOverlay({}),
  };
}

/** The output of one node and the input of the other that most likely belong together: unlinked, of one type. @param {Editor} editor @param {string} a @param {string} b @returns {[PortRef, PortRef] | null} */
function likelyPair(editor, a, b) {
  const { scene, document } = editor;
  const [outs, ins] = [scene.ports(a).filter((ref) => ref.side === "output"), scene.ports(b).filter((ref) => ref.side === "input")];
  const pairs = outs.flatMap((from) => ins.map((to) => /** @type {[PortRef, PortRef]} */ ([from, to]))).filter(([from, to]) => refusal(document, from, to) === null);
  const points = (/** @type {[PortRef, PortRef]} */ [from, to]) => {
    const free = linksOf(document.input(b, to.port)).length === 0 ? 4 : 0;
    const pure = scene.spec(b).inputs.find((input) => input.name === to.port)?.widget ? 0 : 1;
    return free + pure + (from.type === to.type && from.type !== "Any" ? 8 : 0) + (from.port === to.port ? 2 : 0);
  };
  return pairs.sort((p, q) => points(q) - points(p))[0] ?? null;
}
