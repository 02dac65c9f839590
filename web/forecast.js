/** What would run now: asked of the engine a moment after an edit, never while something runs, and dropped when it is overtaken. */

import { ApiError } from "./api.js";
import { isActive, rootOf } from "./core/run.js";
import { effect, signal } from "./core/store.js";
import { explain } from "./jobs.js";
import { BadRequest, requestOf } from "./request.js";

/** @import {Editor} from "./core/editor.js" */
/** @import {Engine} from "./engine.js" */
/** @import {Explanation} from "./jobs.js" */
/** @import {Runner} from "./runner.js" */

const DELAY_MS = 400;

export class Forecast {
  /** null: not known. @type {import("./core/store.js").Signal<Explanation | null>} */
  told = signal(/** @type {Explanation | null} */ (null));
  #timer = 0;
  #asked = new AbortController();
  /** @type {Promise<import("./pins.js").Pins> | null} */
  #pins = null;
  #editor;
  #runner;
  #engine;

  /** @param {Editor} editor @param {Runner} runner @param {Engine} engine */
  constructor(editor, runner, engine) {
    this.#editor = editor;
    this.#runner = runner;
    this.#engine = engine;
    editor.watch((_, content) => {
      if (content) this.#forget();
    });
    effect(() => {
      const idle = engine.state.value === "ready" && !isActive(runner.run.value);
      runner.finished.value;
      if (idle) this.#soon();
      else this.#forget();
    });
  }

  #forget() {
    this.#asked.abort();
    this.told.value = null;
    this.#soon();
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#ask(), DELAY_MS);
  }

  async #ask() {
    if (this.#engine.state.peek() !== "ready" || isActive(this.#runner.run.peek()) || this.#editor.document.sheet("").nodes.size === 0) return;
    this.#asked.abort();
    this.#asked = new AbortController();
    const { signal } = this.#asked;
    try {
      const told = await explain(await requestOf(this.#editor, null), signal);
      if (signal.aborted) return;
      // A workflow that cannot run yet has no forecast; what is wrong with it is told when Run is pressed.
      if (!told.problems) this.told.value = told;
      this.#runner.check(told.problems ?? []);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof BadRequest) this.#runner.check([error.problem]);
      else if (!(error instanceof ApiError)) throw error;
      return;
    }
    // By now the engine knows what the files hold, so that asking is cheap.
    this.#pins ??= import("./pins.js").then(({ Pins }) => new Pins(this.#editor));
    await (await this.#pins).learn();
  }
}

/** Nodes of the workflow that would run. @param {Explanation} told */
export const running = (told) => new Set(Object.entries(told.nodes).flatMap(([id, { state }]) => (state === "run" ? [rootOf(id)] : [])));
