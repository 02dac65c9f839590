/** A point on a picture that keys move, for who has no pointer; Space or Enter puts down what is in the hand, and lifts it. */

import { h } from "../dom.js";

/** @typedef {{x: number, y: number}} Point */
/** @typedef {{begin: (at: Point) => void, go: (at: Point) => void, end: () => void, tell: () => void}} Doing  `tell`: it moved, or was put down or lifted */

/** Parts of the longer side that a press goes: usually, and with Shift; with Ctrl it is one pixel. */
const [STEP, LEAP] = [1 / 64, 1 / 8];
const WAYS = /** @type {Readonly<Record<string, readonly [number, number]>>} */ ({
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-Infinity, 0], End: [Infinity, 0], PageUp: [0, -Infinity], PageDown: [0, Infinity],
});

export class Hand {
  element = h("div", { class: "paint-hand", hidden: true });
  /** Whether it is down. */
  down = false;
  /** @type {Point} */
  at;
  #area;
  #doing;

  /** @param {HTMLCanvasElement} area @param {Doing} doing */
  constructor(area, doing) {
    this.#area = area;
    this.#doing = doing;
    this.at = { x: Math.round(area.width / 2), y: Math.round(area.height / 2) };
    area.addEventListener("keydown", (event) => this.#key(event));
    area.addEventListener("blur", () => this.lift());
    area.addEventListener("pointerdown", () => {
      this.lift();
      this.element.hidden = true;
    });
  }

  /** @param {number} width  in pixels of the picture */
  set size(width) {
    this.element.style.width = `${(100 * width) / this.#area.width}%`;
  }

  lift() {
    if (!this.down) return;
    this.down = false;
    this.element.classList.remove("down");
    this.#doing.end();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (Object.hasOwn(WAYS, event.key)) this.#move(WAYS[event.key], event);
    else if (event.key === " " || event.key === "Enter") this.#press(event.repeat);
    else return;
    this.element.hidden = false;
    event.preventDefault();
    this.#doing.tell();
  }

  /** @param {readonly [number, number]} way @param {{shiftKey: boolean, ctrlKey: boolean}} keys */
  #move([right, down], { shiftKey, ctrlKey }) {
    const { width, height } = this.#area;
    const step = ctrlKey ? 1 : Math.max(1, Math.round(Math.max(width, height) * (shiftKey ? LEAP : STEP)));
    this.at = { x: Math.min(width, Math.max(0, this.at.x + right * step)), y: Math.min(height, Math.max(0, this.at.y + down * step)) };
    const { style } = this.element;
    [style.left, style.top] = [`${(100 * this.at.x) / width}%`, `${(100 * this.at.y) / height}%`];
    if (this.down) this.#doing.go(this.at);
  }

  /** @param {boolean} held  the key */
  #press(held) {
    if (held) return;
    if (this.down) return this.lift();
    this.down = true;
    this.element.classList.add("down");
    this.#doing.begin(this.at);
  }
}
