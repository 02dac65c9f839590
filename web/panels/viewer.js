/**
 * Pictures at any size: fitted, pixel by pixel, zoomed and moved; two beside each other behind a slider or laid over each
 * other; all at once; one after the other like a film.
 */

import { ApiError } from "../api.js";
import { button, h, setText } from "../dom.js";
import { t } from "../core/strings.js";
import { learnAll } from "../language.js";
import { copy, download, nameOf, thumbnailOf } from "../pictures.js";

/** @import {Word} from "../core/heat.js" */
/** @import {OutputFile} from "../core/types.js" */
/** @import {WordBar} from "./heat.js" */
/** @typedef {"one" | "compare" | "overlay" | "grid" | "strip"} Mode */
/**
 * @typedef {{note: (text: string) => void, caption: (picture: OutputFile) => string | Promise<string>, open?: (picture: OutputFile) => void,
 *            isStrip?: (picture: OutputFile) => Promise<boolean>, words?: (picture: OutputFile) => Promise<readonly Word[]>, word?: string, within?: (picture: OutputFile, point: {x: number, y: number}) => Promise<number>}} Look
 *   `caption`: what is said of a picture; `open`: opens its workflow; `isStrip`: whether it is known to be a strip of film; `words`: what its workflow recorded of them, and the `word` to begin with; `within`: which other one lies at a point of it, -1: none
 */

const ZOOM = 1.25;
const MOST_ZOOM = 32;
const FRAME_MS = 150;
/** The border between two pictures is taken from so many pixels away. */
const REACH = 16;
/** Less movement than so many pixels is a press. */
const STILL = 4;

/**
 * Look at pictures; `at` is the one to begin with, `beside` the one to compare it with.
 * @param {readonly OutputFile[]} pictures
 * @param {number} at
 * @param {Look & {beside?: number, mode?: Mode}} options
 */
export async function openViewer(pictures, at, { beside, mode = beside === undefined ? "one" : "compare", ...look }) {
  await learnAll();
  const viewer = new Viewer(pictures, at, beside ?? (at === 0 ? Math.min(1, pictures.length - 1) : at - 1), look);
  if (mode !== "one") viewer.setMode(mode);
  return viewer;
}

/** A picture half as wide again as high would be a strip of three, and is far more often just a picture: one has to know. */
const FEWEST_FRAMES = 4;

/** How many frames a strip of film would have, which are two square rows, noise above estimates. @param {OutputFile} picture */
const framesOf = ({ width = 1, height = 1 }) => (height % 2 === 0 && (2 * width) % height === 0 ? (2 * width) / height : 1);

/** Of what cannot be read any more nothing is said. @param {unknown} error */
function nothing(error) {
  if (!(error instanceof ApiError)) throw error;
}

class Viewer {
  #stage = h("div", { class: "viewer-stage", tabindex: 0, role: "group", "aria-label": t("viewer.stage") });
  #front = h("img", { alt: "", draggable: "false" });
  #back = h("img", { alt: "", draggable: "false", class: "back" });
  #divider = h("div", { class: "viewer-divider", hidden: true });
  #grid = h("div", { class: "viewer-grid", hidden: true });
  #slider = h("input", { type: "range", min: 0, max: 100, value: 50, class: "viewer-split", "aria-label": t("viewer.split"), hidden: true });
  #film = h("input", { type: "range", min: 0, step: 1, class: "viewer-film", "aria-label": t("viewer.film") });
  #frame = h("input", { type: "range", min: 0, step: 1, class: "viewer-film", "aria-label": t("viewer.step"), hidden: true });
  #text = h("span", { class: "quiet", role: "status" });
  #strip = button({ label: t("viewer.strip"), icon: "film", class: "button" }, () => this.setMode(this.#mode === "strip" ? "one" : "strip"));
  /** Pictures known to be strips of film. @type {Set<OutputFile>} */
  #strips = new Set();
  /** Once a picture has words. @type {WordBar | undefined} */
  #words;
  /** Whose words they are. @type {OutputFile | undefined} */
  #worded;
  #element;
  #pictures;
  #look;
  #at;
  #beside;
  /** @type {Mode} */
  #mode = "one";
  /** null: fitted. @type {{scale: number, x: number, y: number} | null} */
  #view = null;
  #playing = 0;
  /** Counts what was to be told: what comes late is not. */
  #telling = 0;

  /** @param {readonly OutputFile[]} pictures @param {number} at @param {number} beside @param {Look} look */
  constructor(pictures, at, beside, look) {
    this.#pictures = pictures;
    this.#at = at;
    this.#beside = beside;
    this.#look = look;
    this.#stage.append(this.#back, this.#front, this.#divider);
    const many = pictures.length > 1;
    this.#film.max = String(pictures.length - 1);
    const tool = (/** @type {import("../core/strings.js").StringKey} */ key, /** @type {string} */ sign, /** @type {() => void} */ run) => button({ label: t(key), icon: sign, class: "button" }, run);
    const bar = h(
      "div",
      { class: "viewer-bar", role: "toolbar", "aria-label": t("viewer.title") },
      this.#text,
      tool("viewer.fit", "fit", () => this.#fit()),
      button({ label: t("viewer.actual"), text: "1:1", class: "button" }, () => this.#actual()),
      tool("viewer.in", "plus", () => this.#zoom(ZOOM)),
      many ? tool("viewer.compare", "compare", () => this.setMode(this.#mode === "compare" ? "one" : "compare")) : null,
      many ? tool("viewer.overlay", "layers", () => this.setMode(this.#mode === "overlay" ? "one" : "overlay")) : null,
      many ? tool("viewer.grid", "arrange", () => this.setMode(this.#mode === "grid" ? "one" : "grid")) : null,
      this.#strip,
      many ? tool("viewer.play", "run", () => this.#play()) : null,
      look.open ? tool("viewer.workflow", "graph", () => this.#open()) : null,
      tool("viewer.copy", "copy", () => void this.#copy()),
      tool("result.download", "download", () => download(this.#pictures[this.#at])),
      tool("open.close", "close", () => this.#element.close()),
    );
    this.#element = h("dialog", { class: "viewer", "aria-label": t("viewer.title") }, bar, this.#stage, this.#grid, this.#slider, this.#frame, many ? this.#film : null);
    this.#element.addEventListener("close", () => {
      clearInterval(this.#playing);
      this.#element.remove();
    });
    this.#element.addEventListener("keydown", (event) => this.#key(event));
    this.#slider.addEventListener("input", () => {
      this.#split();
      this.#place();
    });
    this.#frame.addEventListener("input", () => this.#go(this.#at));
    this.#film.addEventListener("input", () => this.#go(Number(this.#film.value)));
    this.#stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#zoom(Math.exp(-event.deltaY / 400), { x: event.clientX, y: event.clientY });
    }, { passive: false });
    this.#listenToDrags();
    new ResizeObserver(() => this.#place()).observe(this.#stage);
    document.body.append(this.#element);
    this.#element.showModal();
    this.#go(at);
    this.#stage.focus();
  }

  /** @param {Mode} mode */
  setMode(mode) {
    this.#mode = mode;
    if (mode === "grid" && this.#grid.childElementCount === 0) this.#fillGrid();
    this.#element.dataset.mode = mode;
    this.#stage.toggleAttribute("hidden", mode === "grid");
    this.#grid.toggleAttribute("hidden", mode !== "grid");
    this.#divider.toggleAttribute("hidden", mode !== "compare");
    this.#slider.toggleAttribute("hidden", mode !== "compare" && mode !== "overlay");
    this.#frame.toggleAttribute("hidden", mode !== "strip");
    (mode === "grid" ? this.#cell(this.#at) : this.#stage).focus();
    if (mode === "strip") this.#frame.max = String(this.#frames(this.#pictures[this.#at]) - 1);
    this.#go(this.#at);
  }

  /** How many frames a picture has to step through; 1 for one that is no strip of film. @param {OutputFile} picture */
  #frames(picture) {
    const frames = framesOf(picture);
    return frames >= FEWEST_FRAMES || this.#strips.has(picture) ? frames : 1;
  }

  /** @param {OutputFile} picture */
  async #offerStrip(picture) {
    this.#strip.hidden = this.#frames(picture) < 2;
    if (framesOf(picture) < 2 || !(await this.#look.isStrip?.(picture).catch(nothing))) return;
    this.#strips.add(picture);
    this.#strip.hidden = this.#frames(this.#pictures[this.#at]) < 2;
  }

  /** @param {OutputFile} picture */
  async #offerWords(picture) {
    if (picture !== this.#worded) this.#words?.map.toggleAttribute("hidden", true);
    this.#worded = picture;
    const words = (await this.#look.words?.(picture).catch(nothing)) ?? [];
    if (picture !== this.#pictures[this.#at] || (words.length === 0 && !this.#words)) return;
    const { WordBar } = await import("./heat.js");
    if (!this.#words) {
      this.#words = new WordBar(this.#look.word);
      this.#stage.append(this.#words.map);
      this.#stage.after(this.#words.element);
    }
    this.#words.offer(words);
    this.#place();
  }

  /** Show another picture. @param {number} to */
  #go(to) {
    const at = (to + this.#pictures.length) % this.#pictures.length;
    if (at !== this.#at) this.#beside = this.#mode === "one" ? this.#at : this.#beside;
    this.#at = at;
    this.#film.value = String(at);
    const [picture, other] = [this.#pictures[at], this.#pictures[this.#beside]];
    const two = this.#mode === "compare" || this.#mode === "overlay";
    if (this.#front.getAttribute("src") !== picture.url) this.#front.src = picture.url;
    this.#front.alt = nameOf(picture.url);
    this.#back.toggleAttribute("hidden", !two);
    if (two) this.#back.src = other.url;
    const place = this.#pictures.length > 1 ? t("viewer.place", { at: at + 1, count: this.#pictures.length }) : "";
    const size = t("result.size", { width: picture.width ?? "?", height: picture.height ?? "?" });
    setText(this.#text, [place, size, two ? t("viewer.with", { name: nameOf(other.url) }) : ""].filter(Boolean).join(" · "));
    void this.#tell(picture);
    void this.#offerStrip(picture);
    void this.#offerWords(picture);
    for (const [index, cell] of [...this.#grid.querySelectorAll(".thumb")].entries()) cell.setAttribute("aria-pressed", String(index === at));
    if (this.#mode === "strip") setText(this.#text, t("viewer.place", { at: Number(this.#frame.value) + 1, count: this.#frames(picture) }));
    this.#split();
    this.#place();
  }

  /** @param {number} at @returns {HTMLElement} the button that shows a picture among all */
  #cell = (at) => /** @type {HTMLElement} */ (this.#grid.children[at].firstElementChild);

  /** Go to another one among all pictures, if there is one. @param {number} to */
  #walk(to) {
    if (to < 0 || to >= this.#pictures.length) return;
    this.#go(to);
    this.#cell(to).focus();
  }

  #fillGrid() {
    for (const [index, picture] of this.#pictures.entries()) {
      const caption = h("small", { class: "quiet" });
      const cell = h("button", { type: "button", class: "thumb", "aria-label": t("result.pick", { number: index + 1 }) }, h("img", { src: thumbnailOf(picture.url), alt: "", loading: "lazy" }));
      cell.addEventListener("click", () => {
        this.#at = index;
        this.setMode("one");
      });
      this.#grid.append(h("div", {}, cell, caption));
      void this.#captionOf(picture).then((text) => {
        setText(caption, text);
        caption.title = text;
      });
    }
  }

  /** @param {OutputFile} picture  whose workflow cannot be read any more: nothing is said of it */
  async #captionOf(picture) {
    return (await Promise.resolve(this.#look.caption(picture)).catch(nothing)) ?? "";
  }

  /** Say of the picture that is shown what is to be said. @param {OutputFile} picture */
  async #tell(picture) {
    const mine = ++this.#telling;
    const caption = await this.#captionOf(picture);
    if (mine !== this.#telling) return;
    if (caption !== "" && this.#mode !== "strip") setText(this.#text, `${this.#text.textContent} · ${caption}`);
    this.#text.title = this.#text.textContent ?? "";
  }

  #open() {
    const picture = this.#pictures[this.#at];
    this.#element.close();
    this.#look.open?.(picture);
  }

  /** Go to the picture that lies in the one shown, as on a sheet. @param {{clientX: number, clientY: number}} press */
  async #enter({ clientX, clientY }) {
    const box = this.#stage.getBoundingClientRect();
    const { x, y, scale } = this.#now();
    const to = (await this.#look.within?.(this.#pictures[this.#at], { x: (clientX - box.left - x) / scale, y: (clientY - box.top - y) / scale }).catch(nothing)) ?? -1;
    if (to >= 0) this.#go(to);
  }

  #split() {
    const part = Number(this.#slider.value);
    const [frames, frame] = [this.#frames(this.#pictures[this.#at]), Number(this.#frame.value)];
    const strip = `inset(0 ${100 - (100 * (frame + 1)) / frames}% 0 ${(100 * frame) / frames}%)`;
    this.#front.style.clipPath = this.#mode === "compare" ? `inset(0 0 0 ${part}%)` : this.#mode === "strip" ? strip : "";
    this.#front.style.opacity = this.#mode === "overlay" ? String(part / 100) : "";
  }

  #fit() {
    this.#view = null;
    this.#place();
  }

  #actual() {
    const { clientWidth: w, clientHeight: height } = this.#stage;
    const { width = w, height: tall = height } = this.#pictures[this.#at];
    this.#view = { scale: 1, x: (w - width) / 2, y: (height - tall) / 2 };
    this.#place();
  }

  /** What is seen of the picture now, also where it is fitted. */
  #now() {
    if (this.#view) return this.#view;
    const { clientWidth: w, clientHeight: height } = this.#stage;
    const { width = w, height: tall = height } = this.#pictures[this.#at];
    // Of a strip of film one frame fills the window, the others lie beside it.
    const frame = this.#mode === "strip" ? width / this.#frames(this.#pictures[this.#at]) : width;
    const scale = Math.min(w / frame, height / tall);
    const left = this.#mode === "strip" ? Number(this.#frame.value) * frame : 0;
    return { scale, x: (w - frame * scale) / 2 - left * scale, y: (height - tall * scale) / 2 };
  }

  /** @param {number} factor @param {{x: number, y: number}} [at]  of the screen */
  #zoom(factor, at) {
    const box = this.#stage.getBoundingClientRect();
    const [x, y] = at ? [at.x - box.left, at.y - box.top] : [box.width / 2, box.height / 2];
    const now = this.#now();
    const scale = Math.min(MOST_ZOOM, Math.max(0.02, now.scale * factor));
    this.#view = { scale, x: x - ((x - now.x) * scale) / now.scale, y: y - ((y - now.y) * scale) / now.scale };
    this.#place();
  }

  #place() {
    const { scale, x, y } = this.#now();
    const { width = 0, height = 0 } = this.#pictures[this.#at];
    this.#divider.style.transform = `translate(${x + (width * scale * Number(this.#slider.value)) / 100}px, 0)`;
    for (const image of [this.#front, this.#back, ...(this.#words ? [this.#words.map] : [])]) {
      image.style.transform = `translate(${x}px, ${y}px)`;
      image.style.width = `${width * scale}px`;
      image.style.height = `${height * scale}px`;
      image.classList.toggle("pixels", scale >= 3);
    }
  }

  /** Move the border between two pictures to a place of the screen. @param {number} at */
  #divide(at) {
    const { scale, x } = this.#now();
    const { width = 1 } = this.#pictures[this.#at];
    this.#slider.value = String((100 * (at - this.#stage.getBoundingClientRect().left - x)) / (width * scale));
    this.#slider.dispatchEvent(new Event("input"));
  }

  /** The border between two pictures follows a pointer that takes it. Otherwise one pointer moves the picture; two also zoom it, what is under each staying there. */
  #listenToDrags() {
    /** @type {Map<number, {x: number, y: number}>} */
    const held = new Map();
    let [moved, dividing] = [0, false];
    this.#stage.addEventListener("pointerdown", (event) => {
      this.#stage.setPointerCapture(event.pointerId);
      held.set(event.pointerId, { x: event.clientX, y: event.clientY });
      moved = held.size === 1 ? 0 : STILL;
      const border = this.#divider.getBoundingClientRect();
      dividing = this.#mode === "compare" && held.size === 1 && Math.abs(event.clientX - border.left - border.width / 2) <= REACH;
    });
    this.#stage.addEventListener("pointermove", ({ pointerId, clientX: x, clientY: y }) => {
      const before = held.get(pointerId);
      if (!before) return;
      held.set(pointerId, { x, y });
      moved += Math.abs(x - before.x) + Math.abs(y - before.y);
      if (dividing) return this.#divide(x);
      const now = this.#now();
      this.#view = { ...now, x: now.x + (x - before.x) / held.size, y: now.y + (y - before.y) / held.size };
      const other = [...held].find(([id]) => id !== pointerId)?.[1];
      const apart = (/** @type {{x: number, y: number}} */ point) => (other ? Math.max(1, Math.hypot(point.x - other.x, point.y - other.y)) : 1);
      if (other) this.#zoom(apart({ x, y }) / apart(before), { x: (x + other.x) / 2, y: (y + other.y) / 2 });
      else this.#place();
    });
    this.#stage.addEventListener("pointerup", (event) => {
      if (moved < STILL && event.button === 0 && this.#mode === "one") void this.#enter(event);
    });
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) this.#stage.addEventListener(end, ({ pointerId }) => held.delete(pointerId));
  }

  #play() {
    if (this.#playing) clearInterval(this.#playing);
    this.#playing = this.#playing ? 0 : window.setInterval(() => this.#go(this.#at + 1), FRAME_MS);
  }

  async #copy() {
    try {
      await copy(this.#pictures[this.#at].url);
      this.#look.note(t("viewer.copied"));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#look.note(t("viewer.notCopied", { why: error.message }));
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.target instanceof HTMLInputElement && event.key.startsWith("Arrow")) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const line = getComputedStyle(this.#grid).gridTemplateColumns.split(" ").length;
    const [step, down] = this.#mode === "grid" ? [(/** @type {number} */ by) => this.#walk(this.#at + by), line] : [(/** @type {number} */ by) => this.#go(this.#at + by), 0];
    const keys = /** @type {Record<string, () => void>} */ ({
      ArrowRight: () => step(1),
      ArrowLeft: () => step(-1),
      ...(down ? { ArrowDown: () => step(down), ArrowUp: () => step(-down) } : {}),
      "+": () => this.#zoom(ZOOM),
      "=": () => this.#zoom(ZOOM),
      "-": () => this.#zoom(1 / ZOOM),
      0: () => this.#fit(),
      1: () => this.#actual(),
      c: () => this.setMode(this.#mode === "compare" ? "one" : "compare"),
      o: () => this.setMode(this.#mode === "overlay" ? "one" : "overlay"),
      g: () => this.setMode(this.#mode === "grid" ? "one" : "grid"),
      w: () => this.#look.open && this.#open(),
      d: () => download(this.#pictures[this.#at]),
      " ": () => this.#play(),
    });
    if (!Object.hasOwn(keys, event.key) || (event.key === " " && event.target instanceof HTMLButtonElement)) return;
    event.preventDefault();
    keys[event.key]();
  }
}
