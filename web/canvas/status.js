/** What a node says about its last run, in words: shared by the DOM node and the painted one. */

import { reasonOf } from "../core/reasons.js";
import { byteSize, duration } from "../core/run.js";
import { t } from "../core/strings.js";

/** @import {Naming} from "../core/reasons.js" */
/** @import {NodeRun} from "../core/run.js" */

/** The engine's reason that needs no saying under a node: its badge says that it ran. */
const NEVER_RUN = "never run";

/** @param {NodeRun | undefined} run */
export function statusText(run) {
  if (!run) return t("status.idle");
  if (run.state === "ran") return run.ms === undefined ? t("status.ran", { duration: "" }).trim() : t("status.ran", { duration: duration(run.ms) });
  if (run.state === "running" && run.total) return t("status.step", { step: run.step ?? 0, total: run.total });
  return t(`status.${run.state}`);
}

/** In the head of the node. @param {NodeRun | undefined} run */
export const badgeOf = (run) => (!run || run.state === "queued" || run.state === "idle" ? "" : run.state === "cached" ? `✓ ${statusText(run)}` : statusText(run));

/** Under the node: why it would run now; else why it ran, when that is worth saying. @param {NodeRun | undefined} run @param {Naming} naming */
export function whyOf(run, naming) {
  if (run?.next !== undefined && run.next !== NEVER_RUN) return t("status.next", { reason: reasonOf(run.next, naming) });
  if (!run || run.next !== undefined || run.state === "queued" || run.state === "cached" || run.reason === NEVER_RUN) return "";
  return reasonOf(run.reason, naming);
}

/** All of it, for who asks: state, reason, and the bytes it made. @param {NodeRun | undefined} run @param {Naming} naming */
export function detailsOf(run, naming) {
  if (!run || run.state === "idle") return "";
  const made = run.bytes ? t("status.made", { size: byteSize(run.bytes) }) : "";
  const status = statusText(run);
  const why = run.reason === NEVER_RUN ? status : t("status.why", { status, reason: reasonOf(run.reason, naming) });
  return [why, made].filter(Boolean).join("\n");
}
