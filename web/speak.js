/** Says to who does not see the page what an edit by a key or an undo did, that a run begins and how it ends: once each, none of the steps between. */

import { describe } from "./core/describe.js";
import { titleOf } from "./canvas/look.js";
import { duration, isActive, isOver, parentOf, sentence } from "./core/run.js";
import { effect } from "./core/store.js";
import { t } from "./core/strings.js";
import { h, setText } from "./dom.js";
import { sayLink } from "./panels/links.js";
import { countProblems } from "./panels/runline.js";

/** @import {Parts} from "./actions/action.js" */
/** @import {NodeState, Run} from "./core/run.js" */
/** @import {Problem} from "./core/types.js" */

/** @param {Parts} parts */
export function speak(parts) {
  const [runs, edits] = ["spoken", "spoken-edits"].map((name) => h("div", { class: name, role: "status" }));
  document.body.append(runs, edits);
  speakRuns(parts, runs);
  speakEdits(parts, edits);
  effect(() => {
    const text = sayLink(parts.editor);
    if (text !== "") setText(edits, text);
  });
}

/** Values that are changed in their fields are read by these. @param {Parts} parts @param {HTMLElement} region */
function speakEdits({ editor, workspace }, region) {
  let heard = { history: editor.history, done: editor.history.done, step: editor.history.steps.at(-1), text: "", level: editor.document.level };
  effect(() => {
    editor.version.value;
    const { history, catalogue } = editor;
    const { level } = editor.document;
    const { done, steps } = history;
    const undone = history === heard.history && done < heard.done;
    const step = steps[undone ? done : done - 1];
    const what = step ? describe(step.patch, catalogue) : "";
    const text = undone ? t("spoken.undone", { step: what }) : what;
    const before = heard;
    heard = { history, done, step, text, level };
    if (history !== before.history) return setText(region, workspace.name.peek() || t("app.untitled"));
    if (document.activeElement?.matches("input, select, textarea")) return;
    const where = level === before.level ? "" : level === "" ? t("component.root") : t("spoken.inside", { name: level });
    const did = step !== before.step || text !== before.text ? text : "";
    const said = [did, where].filter(Boolean).join(". ");
    // The same words once more are a change only with a space after them.
    if (said !== "") setText(region, region.textContent === said ? `${said}\u00a0` : said);
  });
}

/** @param {Parts} parts @param {HTMLElement} region */
function speakRuns({ runner, editor }, region) {
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
  const text = known ? `${titleOf(editor, node)}: ${sentence(problems[0], editor.scene.spec(node).title)}` : sentence(problems[0], "");
  return `${countProblems(problems.length)}. ${text}`;
}
