/**
 * Frames: titled boxes that carry nodes. A node, or a frame, belongs to the frame it names, wherever it lies; so moving a
 * frame takes its own along and captures nothing it passes over.
 */

import { STATUS } from "./geometry.js";
import { union } from "./grid.js";

/** @import {Change, Document} from "./document.js" */
/** @import {Scene} from "./scene.js" */
/** @import {Box, Frame, Place, Point} from "./types.js" */

export const FRAME_HEAD = 32;
const PADDING = 24;
const LEAST = 96;
/** How far from the corner of a frame a drag makes it larger. */
const GRIP = 16;

/** The frames within a frame, itself first. @param {Document} document @param {string} id @returns {string[]} */
export function framesIn(document, id) {
  const found = [id];
  for (const outer of found) {
    for (const [inner, frame] of document.frames) if (frame.frame === outer && !found.includes(inner)) found.push(inner);
  }
  return found;
}

/** The nodes that a frame, or one within it, carries. @param {Document} document @param {string} id @returns {Set<string>} */
export function membersOf(document, id) {
  const frames = new Set(framesIn(document, id));
  return new Set([...document.places].filter(([, place]) => place.frame !== undefined && frames.has(place.frame)).map(([node]) => node));
}

/** Frames that move with nodes, as all they carry is among them. @param {Document} document @param {ReadonlySet<string>} ids */
export function framesCarriedBy(document, ids) {
  return [...document.frames.keys()].filter((id) => {
    const members = membersOf(document, id);
    return members.size > 0 && [...members].every((member) => ids.has(member));
  });
}

/**
 * Put a frame around nodes. It is within another one when all of them were.
 * @param {Document} document
 * @param {Scene} scene
 * @param {Iterable<string>} ids
 * @param {string} title
 * @returns {{changes: Change[], id: string}}
 */
export function addFrame(document, scene, ids, title) {
  const [id] = document.sheet(document.level).freeFrameIds(1);
  const nodes = [...ids];
  const outer = new Set(nodes.map((node) => document.places.get(node)?.frame));
  const [parent] = outer.size === 1 ? outer : [undefined];
  const box = boxAround(nodes.flatMap((node) => scene.nodes.box(node) ?? [])) ?? { x: 0, y: 0, w: 320, h: 240 };
  const frame = { title, ...box, ...(parent === undefined ? {} : { frame: parent }) };
  const places = nodes.flatMap((node) => setFrame(document, node, id));
  return { changes: [{ kind: "frame", id, frame }, ...places], id };
}

/** Take frames away; what they carried belongs to the one around them. @param {Document} document @param {ReadonlySet<string>} gone @returns {Change[]} */
export function removeFrames(document, gone) {
  const left = (/** @type {string | undefined} */ frame) => {
    let at = frame;
    for (let hops = 0; at !== undefined && gone.has(at) && hops <= gone.size; hops++) at = document.frames.get(at)?.frame;
    return at;
  };
  const nodes = [...document.places].filter(([, place]) => place.frame !== undefined && gone.has(place.frame)).flatMap(([id, place]) => setFrame(document, id, left(place.frame)));
  const frames = [...document.frames].filter(([id, frame]) => !gone.has(id) && frame.frame !== undefined && gone.has(frame.frame));
  return [...nodes, ...frames.map(([id, frame]) => within(id, frame, left(frame.frame))), ...[...gone].map((id) => /** @type {Change} */ ({ kind: "frame", id, frame: undefined }))];
}

/** Make a frame as large as what it carries needs. @param {Document} document @param {Scene} scene @param {string} id @returns {Change[]} */
export function fitFrame(document, scene, id) {
  const frame = document.frames.get(id);
  const nodes = [...membersOf(document, id)].flatMap((node) => scene.nodes.box(node) ?? []);
  const inner = framesIn(document, id).slice(1).flatMap((each) => document.frames.get(each) ?? []);
  const box = boxAround(nodes, inner);
  return frame && box ? [{ kind: "frame", id, frame: { ...frame, ...box } }] : [];
}

/**
 * Move frames and all they carry, from where they were when the gesture began.
 * @param {ReadonlyMap<string, Frame>} start
 * @param {Point} offset
 * @returns {Change[]}
 */
export const moveFrames = (start, offset) =>
  [...start].map(([id, frame]) => ({ kind: "frame", id, frame: { ...frame, x: frame.x + offset.x, y: frame.y + offset.y } }));

/**
 * Let nodes and frames that were dropped belong to the frame they lie in, if any.
 * @param {Document} document
 * @param {Scene} scene
 * @param {Iterable<string>} ids  of nodes
 * @param {readonly string[]} frames  that moved
 * @returns {Change[]}
 */
export function dropIntoFrames(document, scene, ids, frames) {
  const moved = new Set(frames.flatMap((id) => framesIn(document, id)));
  const carried = new Set(frames.flatMap((id) => [...membersOf(document, id)]));
  /** @type {Change[]} */
  const changes = [];
  for (const id of ids) {
    const box = scene.nodes.box(id);
    if (!box || carried.has(id)) continue;
    const home = innermost(document, { x: box.x + box.w / 2, y: box.y + box.h / 2 }, moved);
    if (home !== document.places.get(id)?.frame) changes.push(...setFrame(document, id, home));
  }
  for (const id of frames) {
    const frame = document.frames.get(id);
    if (!frame || (frame.frame !== undefined && moved.has(frame.frame))) continue;
    const home = innermost(document, { x: frame.x + frame.w / 2, y: frame.y + frame.h / 2 }, moved, frame.w * frame.h);
    if (home !== frame.frame) changes.push(within(id, frame, home));
  }
  return changes;
}

/**
 * The frame whose title bar or lower right corner is at a point.
 * @param {Document} document
 * @param {Point} point
 * @returns {{id: string, part: "head" | "grip"} | null}
 */
export function frameAt(document, point) {
  /** @type {{id: string, part: "head" | "grip", area: number} | null} */
  let found = null;
  for (const [id, frame] of document.frames) {
    const [x, y] = [point.x - frame.x, point.y - frame.y];
    if (x < 0 || y < 0 || x > frame.w || y > frame.h) continue;
    const part = y <= FRAME_HEAD ? "head" : x > frame.w - GRIP && y > frame.h - GRIP ? "grip" : null;
    const area = frame.w * frame.h;
    if (part && (found === null || area <= found.area)) found = { id, part, area };
  }
  return found && { id: found.id, part: found.part };
}

/** The smallest a frame can be made. @param {Frame} frame @param {number} w @param {number} h @returns {Frame} */
export const resized = (frame, w, h) => ({ ...frame, w: Math.max(LEAST, w), h: Math.max(LEAST, h) });

/**
 * The place of what is made, in the frame that its middle lies in.
 * @template {Point} T
 * @param {Document} document
 * @param {T} place
 * @param {{w: number, h: number}} size
 * @param {number} larger  than this area a frame must be
 * @returns {T & {frame?: string}}
 */
export function housed(document, place, { w, h }, larger = 0) {
  const home = innermost(document, { x: place.x + w / 2, y: place.y + h / 2 }, new Set(), larger);
  return home === undefined ? place : { ...place, frame: home };
}

/** @param {Document} document @param {Point} point @param {ReadonlySet<string>} except @param {number} larger  than this area */
function innermost(document, point, except, larger = 0) {
  /** @type {string | undefined} */
  let best;
  let area = Infinity;
  for (const [id, { x, y, w, h }] of document.frames) {
    const inside = point.x >= x && point.x <= x + w && point.y >= y && point.y <= y + h;
    if (!inside || except.has(id) || w * h >= area || w * h <= larger) continue;
    [best, area] = [id, w * h];
  }
  return best;
}

/** @param {Document} document @param {string} id @param {string | undefined} frame @returns {Change[]} */
function setFrame(document, id, frame) {
  const place = document.places.get(id);
  if (!place || place.frame === frame) return [];
  const { frame: _, ...rest } = place;
  return [{ kind: "place", id, place: /** @type {Place} */ (frame === undefined ? rest : { ...rest, frame }) }];
}

/** @param {string} id @param {Frame} frame @param {string | undefined} outer @returns {Change} */
function within(id, { frame: _, ...rest }, outer) {
  return { kind: "frame", id, frame: /** @type {Frame} */ (outer === undefined ? rest : { ...rest, frame: outer }) };
}

/** @param {readonly Box[]} nodes @param {readonly Box[]} frames */
function boxAround(nodes, frames = []) {
  const box = union([...nodes.map((node) => ({ ...node, h: node.h + STATUS })), ...frames]);
  return box && { x: box.x - PADDING, y: box.y - PADDING - FRAME_HEAD, w: box.w + 2 * PADDING, h: box.h + 2 * PADDING + FRAME_HEAD };
}
