/** A picture painted on, by pointer or by keys: a mask of what is to change, kept as its transparency, and a rectangle cut out of it. */

import { button, h, setText } from "../dom.js";
import { encodePng } from "../core/png.js";
import { t } from "../core/strings.js";
import { learnAll } from "../language.js";
import { Hand } from "./hand.js";

/** @typedef {"paint" | "erase" | "crop"} Tool */
/** @typedef {{x: number, y: number}} Point */
/** @typedef {{x: number, y: number, w: number, h: number}} Rect */

const DEPTH = 30;
/** The least a cut-out may measure, in pixels. */
const LEAST = 8;
const HINT = "paint-hint";
/** What a press of a bracket changes the brush by, in percent. */
const SIZE_STEP = 3;

/**
 * @param {string} url  of the picture
 * @param {string} name  of its file
 * @param {(file: File) => void} done  gets the painted picture as a file of its own
 */
export async function openPaint(url, name, done) {
  await learnAll();
  const bitmap = await createImageBitmap(await (await fetch(url)).blob(), { premultiplyAlpha: "none" });
  new Painter(bitmap, name, done);
}

class Painter {
  #picture = h("canvas", { class: "paint-picture" });
  #mask = h("canvas", { class: "paint-mask", tabindex: 0, role: "application", "aria-label": t("paint.area"), "aria-describedby": HINT });
  #frame = h("div", { class: "paint-crop", hidden: true });
  #size = h("input", { type: "range", min: 1, max: 100, value: 12, "aria-label": t("paint.size") });
  #hint = h("p", { class: "quiet", id: HINT });
  #told = h("span", { class: "paint-told", role: "status" });
  /** @type {Map<Tool, HTMLButtonElement>} */
  #tools = new Map();
  #element;
  /** @type {Tool} */
  #tool = "paint";
  /** @type {Rect | null} */
  #crop = null;
  /** Where the stroke or the rectangle that is being drawn was last, or began. @type {Point | null} */
  #from = null;
  /** @type {Hand} */
  #hand;
  /** @type {ImageData[]} */
  #undone = [];
  /** @type {ImageData[]} */
  #done = [];
  #name;
  #finish;

  /** @param {ImageBitmap} bitmap @param {string} name @param {(file: File) => void} done */
  constructor(bitmap, name, done) {
    this.#name = name;
    this.#finish = done;
    const { width, height } = bitmap;
    for (const canvas of [this.#picture, this.#mask]) [canvas.width, canvas.height] = [width, height];
    this.#hand = new Hand(this.#mask, { begin: (at) => this.#begin(at, 0), go: (at) => this.#go(at, 0), end: () => this.#end(), tell: () => this.#tellPlace() });
    const board = h("div", { class: "paint-board" }, this.#picture, this.#mask, this.#frame, this.#hand.element);
    board.style.aspectRatio = `${width} / ${height}`;
    board.style.maxWidth = `calc((100 * var(--vh) - 240px) * ${width / height})`;
    this.#open(bitmap);
    const tool = (/** @type {Tool} */ each, /** @type {import("../core/strings.js").StringKey} */ key) => {
      const element = button({ label: t(key), text: t(key), class: "button wide" }, () => this.#choose(each));
      this.#tools.set(each, element);
      return element;
    };
    const act = (/** @type {import("../core/strings.js").StringKey} */ key, /** @type {() => void} */ run, look = "button wide") => button({ label: t(key), text: t(key), class: look }, run);
    this.#element = h(
      "dialog",
      { class: "dialog paint", "aria-label": t("paint.title") },
      h("div", { class: "viewer-bar" }, tool("paint", "paint.paint"), tool("erase", "paint.erase"), tool("crop", "paint.crop"), h("label", { class: "paint-size" }, t("paint.size"), this.#size), act("paint.invert", () => this.#change(() => this.#invert(), true)), act("paint.clear", () => this.#change(() => this.#clear(), true)), this.#told),
      this.#hint,
      board,
      h("div", { class: "dialog-foot" }, act("action.cancel", () => this.#element.close()), act("paint.use", () => void this.#use(), "button primary")),
    );
    this.#element.addEventListener("close", () => this.#element.remove());
    this.#element.addEventListener("keydown", (event) => this.#key(event));
    this.#size.addEventListener("input", () => this.#resize(0));
    this.#listen();
    document.body.append(this.#element);
    this.#element.showModal();
    this.#choose("paint");
    this.#resize(0);
    this.#mask.focus();
  }

  /** The colours without transparency below, what was transparent as the mask above. @param {ImageBitmap} bitmap */
  #open(bitmap) {
    const { width, height } = bitmap;
    const scratch = new OffscreenCanvas(width, height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (scratch.getContext("2d", { willReadFrequently: true }));
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    const image = context.getImageData(0, 0, width, height);
    const mask = new ImageData(width, height);
    for (let i = 3; i < image.data.length; i += 4) {
      mask.data[i] = 255 - image.data[i];
      [mask.data[i - 3], mask.data[i - 2], mask.data[i - 1]] = [255, 64, 96];
      image.data[i] = 255;
    }
    contextOf(this.#picture).putImageData(image, 0, 0);
    contextOf(this.#mask).putImageData(mask, 0, 0);
  }

  /** @param {Tool} tool */
  #choose(tool) {
    this.#tool = tool;
    for (const [each, element] of this.#tools) element.setAttribute("aria-pressed", String(each === tool));
    const [what, keys] = tool === "crop" ? [t("paint.cropHint"), t("paint.cropKeys")] : [t("paint.hint"), t("paint.keys")];
    this.#hint.replaceChildren(what, h("span", { class: "by-keys" }, ` ${keys}`));
    setText(this.#told, "");
  }

  #keep() {
    return contextOf(this.#mask).getImageData(0, 0, this.#mask.width, this.#mask.height);
  }

  /** Do something to the mask that can be undone. @param {() => void} act @param {boolean} whole  not only the begin of a stroke */
  #change(act, whole = false) {
    this.#done.push(this.#keep());
    if (this.#done.length > DEPTH) this.#done.shift();
    this.#undone = [];
    act();
    if (whole) this.#tellShare();
  }

  /** @param {ImageData[]} from @param {ImageData[]} to */
  #step(from, to) {
    const state = from.pop();
    if (!state) return;
    to.push(this.#keep());
    contextOf(this.#mask).putImageData(state, 0, 0);
    this.#tellShare();
  }

  #invert() {
    const image = this.#keep();
    for (let i = 3; i < image.data.length; i += 4) {
      image.data[i] = 255 - image.data[i];
      [image.data[i - 3], image.data[i - 2], image.data[i - 1]] = [255, 64, 96];
    }
    contextOf(this.#mask).putImageData(image, 0, 0);
  }

  #clear() {
    contextOf(this.#mask).clearRect(0, 0, this.#mask.width, this.#mask.height);
    this.#setCrop(null);
  }

  #listen() {
    this.#mask.addEventListener("pointerdown", (event) => {
      this.#mask.setPointerCapture(event.pointerId);
      this.#begin(this.#at(event), event.pressure);
    });
    this.#mask.addEventListener("pointermove", (event) => this.#go(this.#at(event), event.pressure));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) this.#mask.addEventListener(end, () => this.#end());
  }

  /** @param {Point} at @param {number} pressure */
  #begin(at, pressure) {
    this.#from = at;
    if (this.#tool === "crop") this.#setCrop(between(at, at, this.#mask));
    else this.#change(() => this.#stroke(at, at, pressure));
  }

  /** @param {Point} at @param {number} pressure */
  #go(at, pressure) {
    if (!this.#from) return;
    if (this.#tool === "crop") return this.#setCrop(between(this.#from, at, this.#mask));
    this.#stroke(this.#from, at, pressure);
    this.#from = at;
  }

  #end() {
    if (!this.#from) return;
    this.#from = null;
    if (this.#crop && (this.#crop.w < LEAST || this.#crop.h < LEAST)) this.#setCrop(null);
    if (this.#tool !== "crop") this.#tellShare();
  }

  /** Say where the hand is, and what is there. */
  #tellPlace() {
    const { x, y } = this.#hand.at;
    const there = contextOf(this.#mask).getImageData(Math.min(x, this.#mask.width - 1), Math.min(y, this.#mask.height - 1), 1, 1).data[3] > 127;
    const size = this.#crop ? t("result.size", { width: this.#crop.w, height: this.#crop.h }) : "";
    const what = this.#tool === "crop" ? size : t(there ? "paint.there" : "paint.free");
    setText(this.#told, [t("paint.place", { x, y }), what, this.#hand.down ? t("paint.down") : ""].filter(Boolean).join(" · "));
  }

  /** Say how much of the picture is painted. */
  #tellShare() {
    const { data } = this.#keep();
    let painted = 0;
    for (let i = 3; i < data.length; i += 4) painted += data[i];
    setText(this.#told, t("paint.share", { percent: Math.round((100 * painted) / (255 * (data.length / 4))) }));
  }

  /** Make the brush larger or smaller. @param {number} by */
  #resize(by) {
    this.#size.value = String(Number(this.#size.value) + by);
    this.#hand.size = this.#width;
    if (by !== 0) setText(this.#told, t("paint.brush", { percent: this.#size.value }));
  }

  /** Of the brush, in pixels of the picture. */
  get #width() {
    return (Number(this.#size.value) / 100) * Math.max(this.#mask.width, this.#mask.height) * 0.6;
  }

  /** The pixel under the pointer. @param {PointerEvent} event */
  #at(event) {
    const box = this.#mask.getBoundingClientRect();
    return { x: ((event.clientX - box.left) * this.#mask.width) / box.width, y: ((event.clientY - box.top) * this.#mask.height) / box.height };
  }

  /** @param {Point} from @param {Point} to @param {number} pressure */
  #stroke(from, to, pressure) {
    const context = contextOf(this.#mask);
    context.globalCompositeOperation = this.#tool === "erase" ? "destination-out" : "source-over";
    context.strokeStyle = "rgb(255 64 96)";
    context.lineCap = "round";
    context.lineWidth = Math.max(1, this.#width * (pressure > 0 && pressure < 1 && pressure !== 0.5 ? 2 * pressure : 1));
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x + 0.01, to.y);
    context.stroke();
  }

  /** @param {Rect | null} rect */
  #setCrop(rect) {
    this.#crop = rect;
    this.#frame.toggleAttribute("hidden", rect === null);
    if (!rect) return;
    const [w, height] = [this.#mask.width, this.#mask.height];
    const { style } = this.#frame;
    [style.left, style.top, style.width, style.height] = [rect.x / w, rect.y / height, rect.w / w, rect.h / height].map((part) => `${100 * part}%`);
    setText(this.#told, t("result.size", { width: rect.w, height: rect.h }));
  }

  async #use() {
    const { x, y, w, h: height } = this.#crop ?? { x: 0, y: 0, w: this.#mask.width, h: this.#mask.height };
    const [image, mask] = [this.#picture, this.#mask].map((canvas) => contextOf(canvas).getImageData(x, y, w, height));
    for (let i = 3; i < image.data.length; i += 4) image.data[i] = 255 - mask.data[i];
    const blob = await encodePng(w, height, image.data);
    this.#element.close();
    this.#finish(new File([blob], `${this.#name.replace(/\.\w+$/, "").replace(/-[0-9a-f]{8,}$/, "")}.png`, { type: "image/png" }));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    event.stopPropagation();
    const mod = event.ctrlKey || event.metaKey;
    if (mod && event.key.toLowerCase() === "z") this.#step(event.shiftKey ? this.#undone : this.#done, event.shiftKey ? this.#done : this.#undone);
    else if (mod && event.key.toLowerCase() === "y") this.#step(this.#undone, this.#done);
    else if (event.key === "[" || event.key === "]") this.#resize(event.key === "]" ? SIZE_STEP : -SIZE_STEP);
    else return;
    event.preventDefault();
  }
}

/** @param {HTMLCanvasElement} canvas */
const contextOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));

/** @param {Point} a @param {Point} b @param {{width: number, height: number}} within @returns {Rect} whole pixels */
function between(a, b, within) {
  const clamp = (/** @type {number} */ value, /** @type {number} */ most) => Math.round(Math.min(most, Math.max(0, value)));
  const [x, y] = [clamp(Math.min(a.x, b.x), within.width), clamp(Math.min(a.y, b.y), within.height)];
  return { x, y, w: clamp(Math.max(a.x, b.x), within.width) - x, h: clamp(Math.max(a.y, b.y), within.height) - y };
}
