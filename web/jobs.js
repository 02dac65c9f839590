/** Client of what concerns many jobs: sending them, the queue, and what a run would do. */

import { ApiError, call, get, post } from "./api.js";
import { t } from "./core/strings.js";

/** @typedef {{state: "cached" | "run", reason: string, ms?: number, bytes?: number, beside_bytes?: number}} Decision */
/** @typedef {{nodes: Readonly<Record<string, Decision>>, ms: number, peak_bytes: number, unknown: number, problems?: readonly Partial<import("./core/types.js").Problem>[]}} Explanation */
/** @typedef {{paused: boolean, running: readonly string[], queued: readonly string[], total: number}} Queue */
/** @typedef {{workflow: unknown, targets: readonly string[] | null, priority?: number}} Request */

/** @param {Request} request */
const bodyOf = ({ workflow, targets, priority = 0 }) => ({ workflow, ...(targets ? { targets } : {}), ...(priority ? { priority } : {}) });

/** Throws ApiError; a workflow that is not valid is an answer, so that the browser does not complain of it. @param {Request} request @returns {Promise<string>} the id of the job */
export async function submit(request) {
  const response = await post("/jobs", bodyOf(request), { "Idempotency-Key": crypto.randomUUID(), Prefer: "handling=lenient" });
  const { id, ...refusal } = await response.json();
  if (id === undefined) throw new ApiError(422, t("status.failed"), refusal);
  return id;
}

/** What a run would do. @param {Request} request @param {AbortSignal} signal @returns {Promise<Explanation>} */
export async function explain(request, signal) {
  const headers = { "Content-Type": "application/json", Prefer: "handling=lenient" };
  const options = { method: "POST", headers, body: JSON.stringify(bodyOf(request)), signal };
  return (await call("/jobs/explain", options)).json();
}

/** @returns {Promise<Queue>} */
export const queue = () => get("/queue");

/** @param {boolean} paused @returns {Promise<Queue>} */
export const pause = async (paused) => (await post(paused ? "/queue/pause" : "/queue/resume", {})).json();

/** Move a job that waits. @param {string} id @param {{position: number} | {before: string} | {priority: number}} change */
export const move = (id, change) =>
  call(`/jobs/${encodeURIComponent(id)}`, { method: "PATCH", headers: { "Content-Type": "application/json" }, body: JSON.stringify(change) });

/** @param {readonly string[]} ids */
export const cancelAll = (ids) => post("/jobs/cancel", { ids });

/** @param {string} id @returns {Promise<string>} the id of the job that does it again */
export const rerun = async (id) => (await (await post(`/jobs/${encodeURIComponent(id)}/rerun`, {}, { "Idempotency-Key": crypto.randomUUID() })).json()).id;

/** @param {string} query @returns {Promise<{jobs: import("./api.js").JobSummary[], next: string | null}>} newest first */
export const page = (query) => get(`/jobs?${query}`);

/** The tokens of a prompt, in chunks as CLIP reads them. @param {string} text @returns {Promise<readonly (readonly {text: string, weight: number}[])[]>} */
export const tokensOf = async (text) => (await (await post("/tokens", { text })).json()).chunks;
