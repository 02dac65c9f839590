/** Whether the server and its worker are there, and what they offer: keeps the editor's catalogue as they have it. */

import * as api from "./api.js";
import { Catalogue } from "./core/catalogue.js";
import { signal } from "./core/store.js";
import { t } from "./core/strings.js";
import { learnAll } from "./language.js";

/** @import {Editor} from "./core/editor.js" */
/** @import {NodeSpec} from "./core/types.js" */
/** @typedef {"starting" | "ready" | "offline"} EngineState */

export class Engine {
  state = signal(/** @type {EngineState} */ ("starting"));
  /** Counts what was told of jobs and of the queue. */
  changes = signal(0);
  /** @type {Readonly<Record<string, NodeSpec>>} */
  #specs = {};
  /** Version of the definitions we have. */
  #version = "";
  /** Names of the model files we have, as JSON. */
  #models = "";
  #editor;
  #notify;

  /** @param {Editor} editor @param {(text: string) => void} notify */
  constructor(editor, notify) {
    this.#editor = editor;
    this.#notify = notify;
  }

  /** Stay informed of what there is: by the server's events, and whenever the person comes back to the page. */
  follow() {
    let [before, connected] = [false, false];
    api.followAll(
      (events) => {
        const worker = events.findLast((event) => event.type === "worker");
        if (worker && worker.state !== this.state.peek()) void this.refresh();
        if (events.some((event) => event.type === "disk")) void learnAll().then(() => this.#notify(t("job.diskFull")));
        this.changes.value += 1;
      },
      (now) => {
        if (!now && (connected || !before)) this.#notify(t("app.serverGone"));
        if (!now) this.state.value = "offline";
        else if (before) {
          this.#notify(t("app.serverBack"));
          void this.refresh();
        }
        [before, connected] = [true, now];
      },
    );
    addEventListener("focus", () => {
      if (this.state.peek() !== "offline") void this.refresh();
    });
  }

  /** Ask how the engine is, and for the definitions and model names that are not known yet. */
  async refresh() {
    try {
      const { worker, catalogue } = await api.health();
      this.state.value = worker === "ready" ? "ready" : "starting";
      if (catalogue !== "") await this.#fetch(catalogue);
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      this.#notify(error.message);
    }
  }

  /** @param {string} version */
  async #fetch(version) {
    const [answer, models] = await Promise.all([version === this.#version ? null : api.nodes(), api.models()]);
    const names = JSON.stringify(models);
    if (!answer && names === this.#models) return;
    this.#specs = answer?.nodes ?? this.#specs;
    [this.#version, this.#models] = [version, names];
    this.#editor.setCatalogue(new Catalogue(this.#specs, models));
  }
}
