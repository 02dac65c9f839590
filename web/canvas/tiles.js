/**
 * Bitmaps of the world, square pieces of it at one scale each, painted once and then only copied: a frame of panning copies.
 * Painting happens within the time a frame can spare; until a tile is there, what lies under it shows what other scales have.
 * What changed is told as boxes of the world, and only those are painted again. Memory is bounded: the tiles that were out of
 * view for longest go first.
 */

import { overlap } from "../core/grid.js";
import { SIDE } from "./canvases.js";

/** @import {Camera} from "../core/camera.js" */
/** @import {Box} from "../core/types.js" */
/** @import {Canvases} from "./canvases.js" */
/** @typedef {(ctx: OffscreenCanvasRenderingContext2D, area: Box, scale: number) => void} Paint  draws the part of the world in an area */
/** @typedef {{home: Tiles, canvas: OffscreenCanvas, column: number, row: number, scale: number, dirty: Box | null, fresh: boolean, used: number}} Tile */
/** @typedef {{w: number, h: number, ratio: number}} Screen  CSS pixels, and device pixels per CSS pixel */

/** World a line or a ring may reach beyond the box that was told, in CSS pixels. */
const BLEED = 4;
const COLUMNS = 2 ** 26;
/** While the scale changes, how much larger than painted the world may be shown, and how much smaller. */
const BLUR = 3;
const FINER = 2;

export class Tiles {
  /** By scale, then by number. @type {Map<number, Map<number, Tile>>} */
  #levels = new Map();
  /** The frame that was last drawn. */
  #frame = 0;
  #paint;
  #canvases;

  /** @param {Paint} paint @param {Canvases} canvases */
  constructor(paint, canvases) {
    this.#paint = paint;
    this.#canvases = canvases;
    canvases.join(this);
  }

  /** Forget everything that is painted. */
  clear() {
    for (const level of this.#levels.values()) for (const tile of level.values()) this.#canvases.give(tile.canvas);
    this.#levels.clear();
  }

  /** Parts of the world look different. @param {readonly Box[]} boxes */
  damage(boxes) {
    for (const [scale, level] of this.#levels) {
      const bleed = BLEED / Math.min(1, scale);
      for (const tile of level.values()) {
        const area = areaOf([tile.column, tile.row], scale);
        for (const box of boxes) {
          const grown = { x: box.x - bleed, y: box.y - bleed, w: box.w + 2 * bleed, h: box.h + 2 * bleed };
          if (overlap(area, grown)) tile.dirty = tile.dirty ? around(tile.dirty, grown) : grown;
        }
      }
    }
  }

  /**
   * Copy what is in view onto a canvas, painting what is missing while there is time.
   * @param {CanvasRenderingContext2D} ctx  in device pixels
   * @param {Camera} camera  on whole device pixels
   * @param {Screen} screen
   * @param {{level: number, until: number, ground: string | null, within?: Box}} terms  the scale to paint at; when to stop,
   *   as performance.now() tells it; what to show where nothing is painted; the part of the world beyond which there is nothing
   * @returns {boolean} whether all of it is there and as it should be
   */
  draw(ctx, camera, screen, { level, until, ground, within }) {
    this.#frame = ++this.#canvases.frame;
    const wanted = this.#inView(camera, screen, level, 0).filter((place) => !within || overlap(within, areaOf(place, level)));
    const old = this.#levels.get(level);
    for (const [column, row] of wanted) {
      const tile = old?.get(column * COLUMNS + row);
      if (tile) tile.used = this.#frame;
    }
    let complete = true;
    for (const [column, row] of wanted) {
      if (this.#isReady(level, column, row)) continue;
      complete = complete && performance.now() < until;
      if (complete) this.#paintTile(level, column, row);
    }
    if (!complete) this.#underlay(ctx, camera, screen, level, ground);
    this.#copy(ctx, camera, screen, level, wanted);
    return complete;
  }

  /** Paint a tile just out of view. @param {Camera} camera @param {Screen} screen @returns {boolean} whether there may be more */
  prefetch(camera, screen) {
    for (const [column, row] of this.#inView(camera, screen, camera.scale, 1)) {
      if (this.#isReady(camera.scale, column, row)) continue;
      if (!this.#canvases.hasRoom && !this.#canvases.hasIdle) return false;
      this.#paintTile(camera.scale, column, row);
      return true;
    }
    return false;
  }

  /**
   * The scale that can stand in for the camera's while it changes: the nearest that has all of the view.
   * @param {Camera} camera @param {Screen} screen @returns {number | null}
   */
  standIn(camera, screen) {
    const distance = (/** @type {number} */ scale) => Math.abs(Math.log(scale / camera.scale));
    const near = [...this.#levels.keys()].filter((scale) => scale * BLUR >= camera.scale && scale <= camera.scale * FINER);
    return near.sort((a, b) => distance(a) - distance(b)).find((scale) => this.#covers(camera, screen, scale)) ?? null;
  }

  /** Whether all of the view is painted at a scale. @param {Camera} camera @param {Screen} screen @param {number} level */
  #covers(camera, screen, level) {
    const { left, top, right, bottom } = this.#range(camera, screen, level, 0);
    const tiles = /** @type {Map<number, Tile>} */ (this.#levels.get(level));
    if ((right - left) * (bottom - top) > tiles.size) return false;
    for (let row = top; row < bottom; row++) for (let column = left; column < right; column++) if (!tiles.get(column * COLUMNS + row)?.fresh) return false;
    return true;
  }

  /** Columns and rows in view: the first, and those after the last. @param {Camera} camera @param {Screen} screen @param {number} level @param {number} ring tiles more on every side */
  #range(camera, screen, level, ring) {
    const side = (SIDE / level) * camera.scale;
    const [left, top] = [Math.floor(-camera.x / side) - ring, Math.floor(-camera.y / side) - ring];
    return { left, top, right: Math.ceil((screen.w - camera.x) / side) + ring, bottom: Math.ceil((screen.h - camera.y) / side) + ring };
  }

  /** Tiles in view, those nearest to its middle first. @param {Camera} camera @param {Screen} screen @param {number} level @param {number} ring @returns {[number, number][]} */
  #inView(camera, screen, level, ring) {
    const { left, top, right, bottom } = this.#range(camera, screen, level, ring);
    /** @type {[number, number][]} */
    const places = [];
    for (let row = top; row < bottom; row++) for (let column = left; column < right; column++) places.push([column, row]);
    const [x, y] = [(left + right - 1) / 2, (top + bottom - 1) / 2];
    const far = (/** @type {[number, number]} */ [column, row]) => Math.max(Math.abs(column - x), Math.abs(row - y));
    return places.sort((a, b) => far(a) - far(b));
  }

  /** @param {number} scale @param {number} column @param {number} row */
  #isReady(scale, column, row) {
    const tile = this.#levels.get(scale)?.get(column * COLUMNS + row);
    return tile !== undefined && tile.fresh && !tile.dirty;
  }

  /** Have a tile painted. @param {number} scale @param {number} column @param {number} row */
  #paintTile(scale, column, row) {
    const number = column * COLUMNS + row;
    const known = this.#levels.get(scale)?.get(number);
    /** @type {Tile} */
    const tile = known ?? { home: this, canvas: this.#canvases.take(), column, row, scale, dirty: null, fresh: false, used: 0 };
    tile.used = this.#frame;
    const level = this.#levels.get(scale) ?? new Map();
    this.#levels.set(scale, level.set(number, tile));
    this.#repaint(tile);
  }

  /** The tile that was out of view for longest; null when all are in view. */
  oldest() {
    /** @type {Tile | null} */
    let oldest = null;
    for (const level of this.#levels.values()) {
      for (const tile of level.values()) if (tile.used < this.#frame && (!oldest || tile.used < oldest.used)) oldest = tile;
    }
    return oldest;
  }

  /** Let go of a tile. @param {Tile} tile */
  drop(tile) {
    const level = /** @type {Map<number, Tile>} */ (this.#levels.get(tile.scale));
    level.delete(tile.column * COLUMNS + tile.row);
    if (level.size === 0) this.#levels.delete(tile.scale);
    this.#canvases.give(tile.canvas);
  }

  /** Paint a tile, or what changed of it. @param {Tile} tile */
  #repaint(tile) {
    const { canvas, scale, column, row, dirty, fresh } = tile;
    const { side } = this.#canvases;
    const zoom = (scale * side) / SIDE;
    const clamp = (/** @type {number} */ value) => Math.min(side, Math.max(0, value));
    const [x, y] = [column * side, row * side];
    let [left, top, right, bottom] = [0, 0, side, side];
    if (fresh && dirty) {
      [left, top] = [clamp(Math.floor(dirty.x * zoom - x)), clamp(Math.floor(dirty.y * zoom - y))];
      [right, bottom] = [clamp(Math.ceil((dirty.x + dirty.w) * zoom - x)), clamp(Math.ceil((dirty.y + dirty.h) * zoom - y))];
    }
    tile.dirty = null;
    tile.fresh = true;
    if (right <= left || bottom <= top) return;
    const ctx = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    ctx.save();
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.beginPath();
    ctx.rect(left, top, right - left, bottom - top);
    ctx.clip();
    ctx.clearRect(left, top, right - left, bottom - top);
    ctx.setTransform(zoom, 0, 0, zoom, -x, -y);
    this.#paint(ctx, { x: (x + left) / zoom, y: (y + top) / zoom, w: (right - left) / zoom, h: (bottom - top) / zoom }, scale);
    ctx.restore();
  }

  /**
   * Where tiles are missing, show what there is at other scales, the nearest scale on top, down to one that has all of the view.
   * @param {CanvasRenderingContext2D} ctx @param {Camera} camera @param {Screen} screen @param {number} level @param {string | null} ground
   */
  #underlay(ctx, camera, screen, level, ground) {
    const distance = (/** @type {number} */ scale) => Math.abs(Math.log(scale / level));
    const others = [...this.#levels.keys()].filter((scale) => scale !== level).sort((a, b) => distance(a) - distance(b));
    const last = others.findIndex((scale) => this.#covers(camera, screen, scale));
    if (last < 0 && ground !== null) {
      ctx.fillStyle = ground;
      ctx.fillRect(0, 0, screen.w * screen.ratio, screen.h * screen.ratio);
    }
    for (const scale of others.slice(0, last < 0 ? others.length : last + 1).reverse()) {
      const tiles = /** @type {Map<number, Tile>} */ (this.#levels.get(scale));
      this.#copy(ctx, camera, screen, scale, [...tiles.values()].map((tile) => [tile.column, tile.row]));
    }
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Camera} camera @param {Screen} screen @param {number} level @param {readonly [number, number][]} places */
  #copy(ctx, camera, screen, level, places) {
    const tiles = this.#levels.get(level);
    const { ratio } = screen;
    const side = (SIDE / level) * camera.scale * ratio;
    const [x, y] = [camera.x * ratio, camera.y * ratio];
    for (const [column, row] of places) {
      const tile = tiles?.get(column * COLUMNS + row);
      if (!tile?.fresh) continue;
      const [left, top] = [Math.round(x + column * side), Math.round(y + row * side)];
      const [w, h] = [Math.round(x + (column + 1) * side) - left, Math.round(y + (row + 1) * side) - top];
      if (left < screen.w * ratio && top < screen.h * ratio && left + w > 0 && top + h > 0) ctx.drawImage(tile.canvas, left, top, w, h);
    }
  }
}

/** The part of the world a tile shows. @param {[number, number]} place  column and row @param {number} scale @returns {Box} */
const areaOf = ([column, row], scale) => ({ x: (column * SIDE) / scale, y: (row * SIDE) / scale, w: SIDE / scale, h: SIDE / scale });

/** @param {Box} a @param {Box} b @returns {Box} */
function around(a, b) {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  return { x, y, w: Math.max(a.x + a.w, b.x + b.w) - x, h: Math.max(a.y + a.h, b.y + b.h) - y };
}
