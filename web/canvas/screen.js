/** The two canvases of the view: the painted world, copied from its tiles, and over the DOM what moves or changes by itself. */

import { octave, snapped } from "../core/camera.js";
import { h } from "../dom.js";
import { Canvases } from "./canvases.js";
import { Ink } from "./ink.js";
import { Lift } from "./lift.js";
import { reachOf } from "./look.js";
import { drawGesture, drawLit, drawTethers, drawWires, drawWorking } from "./overlay.js";
import { paintLifted, paintWorld } from "./painter.js";
import { readTheme } from "./theme.js";
import { Tiles } from "./tiles.js";

/** @import {Camera} from "../core/camera.js" */
/** @import {Editor} from "../core/editor.js" */
/** @import {Box, Point} from "../core/types.js" */
/** @import {Overlay, Sheet} from "./overlay.js" */
/** @import {Scenery} from "./painter.js" */
/** @import {Status} from "./view.js" */
/** @import {Watch} from "./watch.js" */
/** @import {LinkStyle} from "./wires.js" */
/** @typedef {{overlay: Overlay, hovered: string | null, mounted: (id: string) => boolean, lit: readonly Box[]}} Gesture  mounted: the node's DOM is shown; lit: nodes that stand out */

/** Screens that all tiles together may take. */
const SCREENS = 3;
/** @type {ReadonlySet<string>} */
const NONE = new Set();
const STILL = { x: 0, y: 0 };

export class Screen {
  base = h("canvas", { class: "layer", "aria-hidden": "true" });
  over = h("canvas", { class: "layer over", "aria-hidden": "true", hidden: true });
  ratio = 1;
  /** Whether the world must be copied again. */
  stale = true;
  /** @type {LinkStyle} */
  links = "curved";
  hidden = false;
  #size = { w: 0, h: 0 };
  #baseContext = context(this.base, false);
  #overContext = context(this.over, true);
  #canvases = new Canvases();
  #world = new Tiles((ctx, area, scale) => paintWorld(this.#scenery(ctx, scale), area), this.#canvases);
  /** What is dragged. */
  #lifted = new Tiles((ctx, area, scale) => paintLifted(this.#scenery(ctx, scale), area), this.#canvases);
  #ink = new Ink();
  /** @type {Lift | null} */
  #lift = null;
  /** @type {import("./theme.js").Theme | null} */
  #theme = null;
  #covered = NONE;
  #editor;
  #status;
  #watch;
  #host;

  /** @param {Editor} editor @param {() => Status} status @param {Watch} watch @param {HTMLElement} host  whose colours are meant */
  constructor(editor, status, watch, host) {
    this.#editor = editor;
    this.#status = status;
    this.#watch = watch;
    this.#host = host;
  }

  get theme() {
    return (this.#theme ??= readTheme(this.#host));
  }

  get #shownLinks() {
    return this.hidden ? "hidden" : this.links;
  }

  /** Device pixels of the screen. */
  get pixels() {
    return this.#size.w * this.#size.h * this.ratio ** 2;
  }

  /** Device pixels of all tiles. */
  get tiled() {
    return this.#canvases.pixels;
  }

  /** @param {{w: number, h: number}} size @param {number} ratio */
  resize(size, ratio) {
    this.#size = size;
    if (ratio !== this.ratio) this.#ink = new Ink();
    this.ratio = ratio;
    for (const canvas of [this.base, this.over]) {
      canvas.width = Math.round(size.w * ratio);
      canvas.height = Math.round(size.h * ratio);
    }
    this.#canvases.resize(ratio, SCREENS * this.pixels);
    this.stale = true;
  }

  /** Parts of the world look different. @param {readonly Box[]} boxes */
  damage(boxes) {
    this.#world.damage(boxes);
    this.stale = true;
  }

  /** All of it looks different, colours included. */
  forget() {
    this.#world.clear();
    this.#theme = null;
    this.#landed();
    this.stale = true;
  }

  #landed() {
    this.#lift = null;
    this.#lifted.clear();
  }

  /** Take nodes off the world. @param {ReadonlySet<string>} ids @returns {readonly Box[]} what of it looks different without them */
  take(ids) {
    this.#lifted.clear();
    this.#lift = new Lift(ids, this.#editor.scene);
    return this.#lift.boxes;
  }

  /** @param {Point} offset  of what was taken off, in world units */
  move(offset) {
    if (this.#lift) this.#lift.offset = offset;
  }

  /** Put them back; they stay in sight until the world is painted with them. @returns {readonly Box[]} what of it looks different */
  land() {
    if (!this.#lift) return [];
    this.#lift.landing = true;
    return this.#lift.boxes;
  }

  /** Nodes shown where they are dragged to. */
  get lifted() {
    return this.#lift?.ids ?? NONE;
  }

  /** How far a node is from its place. @param {string} id @returns {Point} */
  offsetOf(id) {
    return this.#lift && !this.#lift.landing && this.#lift.ids.has(id) ? this.#lift.offset : STILL;
  }

  /**
   * Show what is in view.
   * @param {Camera} camera
   * @param {boolean} zooming  the scale will soon be another: what is painted need not be exact
   * @param {number} until  when painting has to stop, as performance.now() tells it
   * @param {Gesture} gesture
   * @param {ReadonlySet<string>} covered  nodes whose DOM hides them: painted the next time
   * @returns {boolean} whether all of it is there
   */
  draw(camera, zooming, until, gesture, covered = NONE) {
    const exact = snapped(camera, this.ratio);
    const { theme } = this;
    const screen = { ...this.#size, ratio: this.ratio };
    let complete = true;
    if (this.stale) {
      this.stale = false;
      this.#baseContext.setTransform(1, 0, 0, 1, 0, 0);
      const level = zooming ? (this.#world.standIn(exact, screen) ?? octave(camera.scale)) : camera.scale;
      this.#covered = covered;
      complete = this.#world.draw(this.#baseContext, exact, screen, { level, until, ground: theme.canvas });
      this.#covered = NONE;
      if (covered.size > 0) this.#world.damage([...covered].flatMap((id) => this.#editor.scene.nodes.box(id) ?? []).map(reachOf));
      if (complete && this.#lift?.landing) this.#landed();
    }
    return this.#drawOver({ ratio: this.ratio, camera: exact, theme, ink: this.#ink, links: this.#shownLinks, ctx: this.#overContext }, until, gesture) && complete;
  }

  /** Paint a tile just out of view. @param {Camera} camera @returns {boolean} whether there may be more */
  prefetch(camera) {
    return this.#lift === null && this.#world.prefetch(snapped(camera, this.ratio), { ...this.#size, ratio: this.ratio });
  }

  /** @param {Sheet} sheet @param {number} until @param {Gesture} gesture @returns {boolean} whether all of it is there */
  #drawOver(sheet, until, { overlay, hovered, mounted, lit }) {
    const { scene, selectedWire } = this.#editor;
    const lift = this.#lift;
    const chosen = selectedWire.peek();
    const wires = [...new Set([hovered, chosen])].flatMap((key) => (key === null ? [] : (scene.wire(key) ?? [])));
    const working = this.#watch.working(mounted, this.lifted);
    const { note: _, ...shown } = overlay;
    const wanted = lift || lit.length > 0 || wires.length > 0 || working.length > 0 || Object.values(shown).some((each) => each !== undefined);
    this.over.toggleAttribute("hidden", !wanted);
    if (!wanted) return true;
    const { ctx, camera } = sheet;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, this.over.width, this.over.height);
    drawLit(sheet, lit);
    drawWires(sheet, wires.map((wire) => ({ wire, picked: wire.key === chosen })));
    const complete = lift ? this.#drawLift(sheet, lift, until) : true;
    drawWorking({ ...sheet, camera }, working);
    drawGesture(sheet, overlay);
    return complete;
  }

  /** @param {Sheet} sheet @param {Lift} lift @param {number} until */
  #drawLift(sheet, { tethers, ids, offset, within }, until) {
    drawTethers(sheet, tethers, ids, offset);
    const { x, y, scale } = sheet.camera;
    const moved = snapped({ x: x + offset.x * scale, y: y + offset.y * scale, scale }, this.ratio);
    sheet.ctx.setTransform(1, 0, 0, 1, 0, 0);
    return this.#lifted.draw(sheet.ctx, moved, { ...this.#size, ratio: this.ratio }, { level: scale, until, ground: null, within });
  }

  /** @param {OffscreenCanvasRenderingContext2D} ctx @param {number} scale @returns {Scenery} */
  #scenery(ctx, scale) {
    const { run, problems } = this.#status();
    const lifted = this.#lift && !this.#lift.landing ? this.#lift.ids : NONE;
    return { ctx, ink: this.#ink, theme: this.theme, scale, editor: this.#editor, run, problems, lifted, covered: this.#covered, links: this.#shownLinks, pictures: this.#watch.pictures };
  }
}

/** @param {HTMLCanvasElement} canvas @param {boolean} alpha */
const context = (canvas, alpha) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha }));
