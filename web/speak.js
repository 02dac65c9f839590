/** Says to who does not see the page that a run begins and how it ends: once each, none of the steps between. */

import { titleOf } from "./canvas/look.js";
import { duration, isActive, isOver, parentOf, sentence } from "./core/run.js";
import { effect } from "./core/store.js";
import { t } from "./core/strings.js";
import { h, setText } from "./dom.js";
import { countProblems } from "./panels/problems.js";

/** @import {Parts} from "./actions/action.js" */
/** @import {NodeState, Run} from "./core/run.js" */
/** @import {Problem} from "./core/types.js" */

/** @param {Parts} parts */
export function speakRuns({ runner, editor }) {
  const region = h("div", { class: "spoken", role: "status" });
  document.body.append(region);
  let heard = runner.finished.peek();
  effect(() => {
    const run = runner.run.value;
    const problems = [...runner.problems.value.values()].flat();
    const ended = runner.finished.value !== heard;
    if (isActive(run)) setText(region, t("job.running"));
    else if (problems.length > 0) setText(region, failure(editor, problems));
    else if (isOver(run) && ended) setText(region, run.state === "done" ? success(run, runner.took.peek()) : t(`job.${run.state}`));
    else if (run.state === "idle") setText(region, "");
    if (!isActive(run)) heard = runner.finished.peek();
  });
}

/** @param {Run} run @param {number} took  ms */
function success(run, took) {
  const count = (/** @type {NodeState} */ state) => [...run.nodes].filter(([id, node]) => parentOf(id) === null && node.state === state).length;
  return t("spoken.done", { duration: duration(took), ran: count("ran"), cached: count("cached") });
}

/** @param {import("./core/editor.js").Editor} editor @param {readonly Problem[]} problems */
function failure(editor, problems) {
  const [{ node }] = problems;
  const known = node !== null && editor.document.nodes.has(node);
  const text = known ? `${titleOf(editor, node)}: ${sentence(problems[0], editor.scene.spec(node).title)}` : problems[0].message;
  return `${countProblems(problems.length)}. ${text}`;
}
