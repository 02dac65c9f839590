/** How far jobs are that this tab did not send: each is followed for as long as it is looked at. */

import { followJob } from "../api.js";
import { IDLE, isOver, reduce } from "../core/run.js";
import { signal } from "../core/store.js";

/** @import {Run} from "../core/run.js" */

export class Watched {
  /** @type {import("../core/store.js").Signal<ReadonlyMap<string, Run>>} */
  runs = signal(/** @type {ReadonlyMap<string, Run>} */ (new Map()));
  /** @type {Map<string, () => void>} */
  #stops = new Map();

  /** Follow these jobs and no others. @param {readonly string[]} ids */
  follow(ids) {
    for (const [id, stop] of this.#stops) {
      if (ids.includes(id)) continue;
      stop();
      this.#stops.delete(id);
      this.runs.update((runs) => new Map([...runs].filter(([job]) => job !== id)));
    }
    for (const id of ids) if (!this.#stops.has(id)) this.#stops.set(id, this.#start(id));
  }

  /** @param {string} id */
  #start(id) {
    let run = /** @type {Run} */ ({ ...IDLE, job: id, state: "queued" });
    return followJob(id, 0, (events) => {
      run = reduce(run, events).run;
      this.runs.update((runs) => new Map(runs).set(id, run));
      return !isOver(run);
    });
  }
}
