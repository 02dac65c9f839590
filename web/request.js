/** From the workflow on the table to what is sent: sweeps become one job, what is wanted of it becomes targets. */

import { Catalogue } from "./core/catalogue.js";
import { noted } from "./core/files.js";
import { portLabel } from "./core/naming.js";
import { drawSeed } from "./core/seeds.js";
import { sweepsOf, sweepValues } from "./core/sweep.js";
import { t } from "./core/strings.js";

/** @import {Editor} from "./core/editor.js" */
/** @import {Axis} from "./core/sweep.js" */
/** @import {NodeData, Problem} from "./core/types.js" */
/** @import {Request} from "./jobs.js" */
/** @typedef {{version: number, nodes: Record<string, NodeData>, [field: string]: unknown}} Json */

/** A workflow that cannot be sent as it is. */
export class BadRequest extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.message);
    this.problem = problem;
  }
}

/**
 * Throws BadRequest for a sweep that is none.
 * @param {Editor} editor
 * @param {readonly string[] | null} targets  of the sheet on the table; null: every node that runs for its effect
 * @returns {Promise<Request>}
 */
export async function requestOf(editor, targets) {
  const workflow = /** @type {Json} */ (/** @type {unknown} */ (noted(editor.document)));
  const wanted = targets?.map((id) => editor.runId(id)) ?? null;
  return swept(workflow, editor.catalogue, wanted);
}

/** How many combinations a run of the workflow makes. @param {Editor} editor */
export function combinations(editor) {
  try {
    return axesOf(/** @type {any} */ (editor.document.toJSON()), editor.catalogue).reduce((product, axis) => product * axis.values.length, 1);
  } catch (error) {
    if (error instanceof BadRequest) return 1;
    throw error;
  }
}

/** A workflow with its sweeps as one job. @param {Json} workflow @param {Catalogue} catalogue @param {readonly string[] | null} wanted @returns {Promise<Request>} */
export async function swept(workflow, catalogue, wanted) {
  const axes = axesOf(workflow, catalogue);
  if (axes.length === 0) return { workflow, targets: wanted };
  const { expanded, MOST_COMBINATIONS, targetsIn } = await import("./core/expand.js");
  try {
    const sent = expanded(workflow, axes, (id) => catalogue.specs.get(workflow.nodes[id].type));
    return { workflow: sent, targets: wanted && targetsIn(sent.nodes, wanted) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const [{ id, name }] = axes;
    throw new BadRequest({ code: "bad_sweep", node: id, port: name, message: t("sweep.tooMany", { count: error.message, most: MOST_COMBINATIONS }) });
  }
}

/** The swept inputs, in the order of nodes and of their inputs. @param {Json} workflow @param {Catalogue} catalogue @returns {Axis[]} */
function axesOf(workflow, catalogue) {
  const axes = Object.entries(workflow.nodes).flatMap(([id, node]) => {
    const sweeps = sweepsOf(node);
    const spec = catalogue.specs.get(node.type);
    return (spec?.inputs ?? []).flatMap((input) => {
      const text = sweeps[input.name];
      if (text === undefined) return [];
      try {
        return [{ id, name: input.name, values: sweepValues(text, input, catalogue.options(input), drawSeed), label: portLabel(input.name) }];
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        throw new BadRequest({ code: "bad_sweep", node: id, port: input.name, message: t("sweep.bad", { text: error.message || text }) });
      }
    });
  });
  const titleOf = (/** @type {string} */ id) => workflow.nodes[id].title || catalogue.specs.get(workflow.nodes[id].type)?.title;
  // Of inputs that have one name, each is told with its node.
  return axes.map((axis) => (axes.some(({ id, name }) => id !== axis.id && name === axis.name) ? { ...axis, label: `${titleOf(axis.id)} · ${axis.label}` } : axis));
}
