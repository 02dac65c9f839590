/** What is going on, in one line: what runs and how long it still takes; else what would run. */

import { retry } from "../api.js";
import { byteSize, duration, isActive } from "../core/run.js";
import { t } from "../core/strings.js";
import { running } from "../forecast.js";
import { titleOf } from "../canvas/look.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {Run} from "../core/run.js" */
/** @import {Editor} from "../core/editor.js" */
/** @import {Explanation} from "../jobs.js" */

/** With more nodes of which nothing is known, what is left is far more than what is told. */
const MOST_UNKNOWN = 12;

/** @param {Parts} parts */
export function runLine({ editor, runner, engine, forecast }) {
  const run = runner.run.value;
  const state = engine.state.value;
  const problems = [...runner.problems.value.values()].flat().length;
  if (state === "offline") return offlineLine(retry.next.value);
  if (problems > 0) return countProblems(problems);
  if (isActive(run)) {
    if (state === "starting") return t("job.waiting");
    const waiting = runner.waiting.value.length;
    const what = activity(editor, run);
    const timed = run.estimate && run.estimate.left >= 1000 && run.estimate.unknown < MOST_UNKNOWN ? t("job.left", { what, duration: duration(run.estimate.left) }) : what;
    return waiting > 0 ? t("job.waitingMore", { what: timed, count: waiting }) : timed;
  }
  const told = forecast.told.value;
  if (told && (run.state === "idle" || (runner.edited.value && running(told).size > 0))) return forecastLine(told);
  if (run.state === "done") return t("job.done", { duration: duration(runner.took.value) });
  if (run.state !== "idle") return t(`job.${run.state}`);
  return state === "starting" ? t("bar.starting") : "";
}

/** @param {number} count */
export const countProblems = (count) => (count === 1 ? t("problem.one") : t("problem.many", { count }));

/** @param {number | null} next  try, in ms since the epoch; null: now */
const offlineLine = (next) => (next === null ? t("bar.connecting") : t("bar.offline", { seconds: Math.max(1, Math.ceil((next - Date.now()) / 1000)) }));

/** @param {Editor} editor @param {Run} run */
function activity(editor, run) {
  if (run.state !== "running" || run.active === null) return t(`job.${run.state}`);
  const sheet = editor.document.sheet("");
  const id = [run.active, run.active.split(/[/:@]/)[0]].find((each) => sheet.nodes.has(each));
  if (id === undefined) return t("job.running");
  const node = run.nodes.get(run.active);
  const title = sheet === editor.document.sheet(editor.document.level) ? titleOf(editor, id) : String(sheet.nodes.get(id)?.title ?? id);
  return node?.total ? t("job.activeStep", { title, step: node.step ?? 0, total: node.total }) : t("job.active", { title });
}

/** @param {Explanation | null} told */
export function forecastLine(told) {
  if (!told) return "";
  const count = running(told).size;
  if (count === 0) return t("forecast.none");
  const nodes = count === 1 ? t("forecast.one") : t("forecast.all", { count });
  const known = told.unknown === 0;
  const time = known && told.ms >= 1 ? t("forecast.time", { duration: duration(told.ms) }) : "";
  const peak = known && told.peak_bytes > 0 ? t("forecast.peak", { size: byteSize(told.peak_bytes) }) : "";
  return [nodes, time, peak].filter(Boolean).join(" · ");
}
