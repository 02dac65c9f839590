/** Notices which nodes look different when selection, run or problems change, and keeps the nodes at work and their pictures. */

import { reachOf, roomUnder } from "./look.js";
import { Pictures } from "./pictures.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {NodeRun, Run} from "../core/run.js" */
/** @import {Box, Frame, Problem} from "../core/types.js" */
/** @import {Working} from "./overlay.js" */
/** @import {Status} from "./view.js" */

/** With more damage than this, one box round all of it. */
const MANY = 400;

export class Watch {
  pictures = new Pictures((id) => this.#damageNodes([id]));
  /** @type {ReadonlySet<string>} */
  #selection = new Set();
  /** @type {ReadonlyMap<string, NodeRun>} */
  #runs = new Map();
  /** @type {ReadonlyMap<string, readonly Problem[]>} */
  #problems = new Map();
  /** @type {Run["outputs"]} */
  #outputs = {};
  /** @type {ReadonlyMap<string, Frame>} */
  #frames = new Map();
  /** The frame that is selected. @type {string | null} */
  #chosen = null;
  /** Nodes of this sheet at work. @type {Map<string, NodeRun>} */
  #working = new Map();
  #editor;
  #status;
  #damage;

  /** @param {Editor} editor @param {() => Status} status @param {(boxes: Box[]) => void} damage */
  constructor(editor, status, damage) {
    this.#editor = editor;
    this.#status = status;
    this.#damage = damage;
  }

  /** Selection, run state or problems changed. */
  statusChanged() {
    const { run, problems } = this.#status();
    const selection = this.#editor.selection.peek();
    /** @type {Set<string>} */
    const changed = new Set();
    if (selection !== this.#selection) {
      for (const id of selection) if (!this.#selection.has(id)) changed.add(id);
      for (const id of this.#selection) if (!selection.has(id)) changed.add(id);
    }
    const wires = changed.size > 0 ? this.#wireBoxes(changed) : [];
    if (run.nodes !== this.#runs) this.#noteRuns(run.nodes, changed);
    if (problems !== this.#problems) for (const id of [...problems.keys(), ...this.#problems.keys()]) if (problems.get(id) !== this.#problems.get(id)) changed.add(id);
    [this.#selection, this.#runs, this.#problems] = [selection, run.nodes, problems];
    if (run.outputs !== this.#outputs) this.#noteOutputs(run.outputs);
    this.#noteFrames(this.#editor.selectedFrame.peek());
    if (changed.size > 0) this.#damageNodes(changed, wires);
  }

  documentChanged() {
    this.#noteFrames(this.#chosen);
  }

  /** What nodes made is painted under them, and goes where they go. @param {readonly Box[]} boxes  of what changed */
  reach(boxes) {
    return this.pictures.size > 0 ? boxes.map(reachOf) : boxes;
  }

  /** Frames are few: compare them all. @param {string | null} chosen  the one that is selected */
  #noteFrames(chosen) {
    const { frames } = this.#editor.document;
    const ids = new Set([...frames.keys(), ...this.#frames.keys()]);
    const changed = [...ids].filter((id) => frames.get(id) !== this.#frames.get(id) || (id === chosen) !== (id === this.#chosen));
    if (changed.length > 0) this.#damage(changed.flatMap((id) => [frames.get(id), this.#frames.get(id)]).filter((frame) => frame !== undefined));
    this.#frames = new Map(frames);
    this.#chosen = chosen;
  }

  /** The picture a node is making. @param {string} id @param {Blob} blob */
  preview(id, blob) {
    this.pictures.set(id, blob, () => Promise.resolve(blob));
  }

  /** @param {(id: string) => boolean} inDom @param {ReadonlySet<string>} lifted @returns {Working[]} */
  working(inDom, lifted) {
    return [...this.#working].flatMap(([id, run]) => {
      const box = this.#editor.scene.nodes.box(id);
      return box && !lifted.has(id) ? [{ box, run, inDom: inDom(id), picture: this.pictures.get(id), room: roomUnder(this.#editor.scene, box) }] : [];
    });
  }

  /** @param {ReadonlyMap<string, NodeRun>} runs @param {Set<string>} changed */
  #noteRuns(runs, changed) {
    this.#working = new Map();
    for (const [id, run] of runs) {
      if (run.state === "running" && this.#editor.document.nodes.has(id)) this.#working.set(id, run);
      const before = this.#runs.get(id);
      // Progress is drawn over the world; only another state paints it anew.
      if (!looksAlike(run, before)) changed.add(id);
    }
    for (const id of this.#runs.keys()) if (!runs.has(id)) changed.add(id);
  }

  /** @param {Run["outputs"]} outputs */
  #noteOutputs(outputs) {
    this.#outputs = outputs;
    const prefix = this.#editor.runId("");
    for (const [full, files] of Object.entries(outputs)) {
      const image = files.findLast((file) => file.media_type.startsWith("image/"));
      if (image && full.startsWith(prefix)) this.pictures.set(full.slice(prefix.length), image.url, async () => (await fetch(image.url)).blob());
    }
  }

  /** @param {Iterable<string>} ids */
  #wireBoxes(ids) {
    const { scene } = this.#editor;
    return [...ids].flatMap((id) => [...scene.wiresOf(id)].flatMap((key) => scene.wireBox(key) ?? []));
  }

  /** @param {Iterable<string>} ids @param {Box[]} wires */
  #damageNodes(ids, wires = []) {
    const { nodes } = this.#editor.scene;
    const boxes = [...ids].flatMap((id) => nodes.box(id) ?? []).map(reachOf);
    const all = [...boxes, ...wires];
    this.#damage(all.length > MANY ? [everything(all)] : all);
  }
}

/** Whether two runs of a node are painted alike: how far one is, is not painted. @param {NodeRun} a @param {NodeRun | undefined} b */
const looksAlike = (a, b) =>
  a === b || (a.state === b?.state && a.reason === b.reason && a.ms === b.ms && a.next === b.next);

/** @param {readonly Box[]} boxes @returns {Box} */
function everything(boxes) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y, w, h } of boxes) {
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x + w), Math.max(bottom, y + h)];
  }
  return { x: left, y: top, w: right - left, h: bottom - top };
}
