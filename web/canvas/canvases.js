/** The canvases of all tiles, no more than there is room for: when all are taken, the tile that was out of view for longest gives its own. */

/** @import {Tiles} from "./tiles.js" */

/** CSS pixels of a tile's side. */
export const SIDE = 256;

export class Canvases {
  /** Pixels all of them may take. */
  room = Infinity;
  /** Counts frames, for tiles to say when they were last in view. */
  frame = 0;
  /** Device pixels of a side. */
  side = SIDE;
  #made = 0;
  /** @type {OffscreenCanvas[]} */
  #spare = [];
  /** @type {Tiles[]} */
  #users = [];

  /** @param {Tiles} user  whose tiles may be asked for their canvas */
  join(user) {
    this.#users.push(user);
  }

  /** Pixels of all of them. */
  get pixels() {
    return this.#made * this.side ** 2;
  }

  /** Tiles are of another size, or have more or less room. @param {number} ratio device pixels a CSS pixel @param {number} room */
  resize(ratio, room) {
    this.room = room;
    if (this.side !== Math.round(SIDE * ratio)) {
      this.side = Math.round(SIDE * ratio);
      for (const user of this.#users) user.clear();
      [this.#spare, this.#made] = [[], 0];
    }
    for (const canvas of this.#spare.splice(0)) this.give(canvas);
    for (let more = true; more && this.pixels > room; ) more = this.#free();
  }

  /** One to paint on. @returns {OffscreenCanvas} */
  take() {
    if (this.#spare.length === 0 && !this.hasRoom) this.#free();
    const known = this.#spare.pop();
    if (known) return known;
    this.#made += 1;
    return new OffscreenCanvas(this.side, this.side);
  }

  /** One that is not painted on any more: kept for the next tile where there is room. @param {OffscreenCanvas} canvas */
  give(canvas) {
    if (this.pixels > this.room) this.#made -= 1;
    else this.#spare.push(canvas);
  }

  /** Whether there is one to be had without taking it from a tile. */
  get hasRoom() {
    return this.#spare.length > 0 || this.pixels + this.side ** 2 <= this.room;
  }

  /** Whether a tile could give its own. */
  get hasIdle() {
    return this.#users.some((user) => user.oldest() !== null);
  }

  /** Have the tile that was out of view for longest give its own. @returns {boolean} whether there was one */
  #free() {
    const oldest = this.#users.flatMap((user) => user.oldest() ?? []).sort((a, b) => a.used - b.used)[0];
    oldest?.home.drop(oldest);
    return oldest !== undefined;
  }
}
