/** What the nodes of the sheet on the table show: how they fared, what is wrong with them, and whether they would run now. */

import { isActive, rootOf } from "./core/run.js";
import { computed } from "./core/store.js";

/** @import {Editor} from "./core/editor.js" */
/** @import {NodeRun, Run} from "./core/run.js" */
/** @import {Problem} from "./core/types.js" */
/** @import {Forecast} from "./forecast.js" */
/** @import {Runner} from "./runner.js" */
/** @typedef {{run: Run, problems: ReadonlyMap<string, readonly Problem[]>}} Status  by the ids of the sheet */

/** @type {NodeRun} */
const UNTOUCHED = { state: "idle", reason: "" };

/** @param {Editor} editor @param {Runner} runner @param {Forecast} forecast @returns {{readonly value: Status, readonly peek: () => Status}} */
export function statusOf(editor, runner, forecast) {
  return computed(() => {
    const run = runner.run.value;
    const prefix = editor.path.value.map((step) => `${step.instance}/`).join("");
    const told = isActive(run) ? null : forecast.told.value;
    if (prefix === "" && told === null) return { run, problems: withOwners(runner.problems.value) };
    const nodes = new Map([...run.nodes].flatMap(([id, node]) => (id.startsWith(prefix) ? [[id.slice(prefix.length), node]] : [])));
    for (const [id, { state, reason }] of Object.entries(told?.nodes ?? {})) {
      const here = id.startsWith(prefix) && state === "run" ? rootOf(id.slice(prefix.length)) : null;
      if (here !== null && nodes.get(here)?.next === undefined) nodes.set(here, { ...(nodes.get(here) ?? UNTOUCHED), next: reason });
    }
    const problems = [...withOwners(runner.problems.value)].flatMap(([id, each]) => (id === "" || id.startsWith(prefix) ? [[id.slice(prefix.length), each]] : []));
    return { run: { ...run, nodes }, problems: new Map(/** @type {[string, readonly Problem[]][]} */ (problems)) };
  });
}

/** A problem inside a component is shown on the instance too, on no port of it. @param {ReadonlyMap<string, readonly Problem[]>} problems */
function withOwners(problems) {
  if (![...problems.keys()].some((id) => rootOf(id) !== id)) return problems;
  /** @type {Map<string, readonly Problem[]>} */
  const all = new Map();
  const add = (/** @type {string} */ id, /** @type {readonly Problem[]} */ each) => all.set(id, [...(all.get(id) ?? []), ...each]);
  for (const [id, each] of problems) {
    add(id, each);
    for (let at = id.lastIndexOf("/"); at > 0; at = id.lastIndexOf("/", at - 1)) add(id.slice(0, at), each.map((problem) => ({ ...problem, port: null })));
  }
  return all;
}
