/** Looking closely at pictures that jobs made: each is told by what it was made with, and opens its own workflow. */

import { jobWorkflow } from "../api.js";
import { cellAt, cellOf } from "../core/cells.js";
import { linksOf } from "../core/level.js";
import { COPY } from "../core/run.js";
import { Recorded } from "./heat.js";
import { openViewer } from "./viewer.js";

/** @import {Workflow} from "../core/cells.js" */
/** @import {OutputFile} from "../core/types.js" */
/** @import {Workspace} from "../workspace.js" */
/** @typedef {{job: string, node: string, file: OutputFile, about?: string}} Made  `about`: said of it, unless a sweep made it */

/** What is said of pictures of jobs, whose workflows are read once. */
class Teller {
  /** @type {Map<string, Promise<unknown>>} */
  #workflows = new Map();

  /** @param {string} job @returns {Promise<unknown>} */
  workflowOf(job) {
    const found = this.#workflows.get(job) ?? jobWorkflow(job);
    this.#workflows.set(job, found);
    return found;
  }

  /** The values that a sweep made a picture with; else what is said of it anyway. @param {Made} made */
  async tell({ job, node, about = "" }) {
    return node.includes(COPY) ? (cellOf(await this.workflowOf(job), node)?.label ?? about) : about;
  }
}

/** The values that a sweep made pictures with, by their addresses. @param {readonly Made[]} made @returns {Promise<ReadonlyMap<string, string>>} */
export async function labelsOf(made) {
  const teller = new Teller();
  const told = await Promise.all(made.map(async (each) => /** @type {[string, string]} */ ([each.file.url, await teller.tell(each)])));
  return new Map(told.filter(([, label]) => label !== ""));
}

/**
 * @param {{workspace: Workspace, notify: (text: string) => void}} parts
 * @param {readonly Made[]} made
 * @param {number} at  the one to begin with
 * @param {string} [word]  of its prompt to lay over it, or over the first one that has it where it has not
 */
export async function lookAt({ workspace, notify }, made, at, word) {
  const [teller, recorded] = [new Teller(), new Recorded()];
  const of = new Map(made.map((each) => [each.file, each]));
  const sizeOf = (/** @type {string} */ job) => (/** @type {string} */ node) => {
    const files = made.filter((each) => each.job === job && each.node === node).map((each) => each.file);
    return files.length === 0 ? null : { width: files.reduce((sum, { width = 0 }) => sum + width, 0), height: Math.max(...files.map(({ height = 0 }) => height)) };
  };
  const wordsOf = async (/** @type {Made} */ each) => recorded.wordsOf(each, /** @type {Workflow} */ (await teller.workflowOf(each.job)));
  const says = async (/** @type {Made} */ each) => (await wordsOf(each)).some(({ text }) => text === word);
  if (word !== undefined && !(await says(made[at]))) at = Math.max(0, (await Promise.all(made.map(says))).indexOf(true));
  return openViewer(made.map((each) => each.file), at, {
    note: notify,
    caption: (picture) => teller.tell(/** @type {Made} */ (of.get(picture))),
    open: (picture) => {
      const { job, node } = /** @type {Made} */ (of.get(picture));
      void workspace.openJob(job, node);
    },
    word,
    words: (picture) => wordsOf(/** @type {Made} */ (of.get(picture))),
    isStrip: async (picture) => {
      const { job, node } = /** @type {Made} */ (of.get(picture));
      return showsStrip(/** @type {Workflow} */ (await teller.workflowOf(job)), node);
    },
    within: async (picture, point) => {
      const { job, node, file } = /** @type {Made} */ (of.get(picture));
      if (!node.includes(COPY)) return -1;
      const maker = cellAt(/** @type {Workflow} */ (await teller.workflowOf(job)), node, { width: file.width ?? 0, height: file.height ?? 0 }, sizeOf(job), point);
      return made.findIndex((each) => each.job === job && each.node === maker);
    },
  });
}

/** Whether a node of a workflow's own level shows a strip of film just as it was made. @param {Workflow} workflow @param {string} node */
function showsStrip({ nodes }, node) {
  const inputs = nodes[node.split(COPY)[0]]?.inputs ?? {};
  return Object.values(inputs).some((value) => linksOf(value).some((link) => nodes[link.node]?.type === "FilmStrip"));
}
