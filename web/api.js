/** Client of /api/v1. Every refusal is an ApiError with a sentence for people; event streams reconnect by themselves. */

import { parseExactly } from "./core/json.js";
import { t } from "./core/strings.js";
import { Retry } from "./retry.js";

/** @import {RunEvent} from "./core/run.js" */
/** @import {NodeSpec, OutputFile, Problem} from "./core/types.js" */
/** @typedef {{id: string, state: string, created?: number, started?: number | null, finished?: number | null, priority?: number,
 *            outputs: Record<string, OutputFile[]>, error: Partial<Problem> | null}} JobSummary */

export const ROOT = "/api/v1";

/** Waits for the server together with all that it did not answer. */
export const retry = new Retry();

export class ApiError extends Error {
  /** @param {number} status 0: no answer @param {string} message @param {Record<string, unknown>} details */
  constructor(status, message, details = {}) {
    super(message);
    this.status = status;
    this.details = details;
  }

  /** Every fault of a refused graph. @returns {Problem[]} */
  get problems() {
    return Array.isArray(this.details.problems) ? this.details.problems : [];
  }
}

/** @param {string} path @param {RequestInit} options @returns {Promise<Response>} */
export async function call(path, options = {}) {
  const response = await fetch(ROOT + path, options).catch((error) => {
    throw new ApiError(0, t("error.network"), { cause: String(error) });
  });
  retry.succeeded();
  if (response.ok) return response;
  const details = await response.json().catch(() => ({}));
  const said = await import("./refusal.js").then(({ refusalSaid }) => refusalSaid(details), () => "");
  const text = said || [details.detail, details.hint].filter(Boolean).join(" ");
  throw new ApiError(response.status, text || t("error.http", { status: response.status }), details);
}

/** @param {string} path */
export const get = async (path) => (await call(path)).json();

/** @param {string} path @param {unknown} body @param {Record<string, string>} headers */
export const post = (path, body, headers = {}) =>
  call(path, { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) });

/** @type {() => Promise<{worker: string, catalogue: string}>} */
export const health = () => get("/health");

/** @type {() => Promise<{version: string, nodes: Readonly<Record<string, NodeSpec>>}>} */
export const nodes = () => get("/nodes");

/** @type {() => Promise<Record<string, string[]>>} */
export const models = () => get("/models");

/** `needs`: weights that are not there. @type {() => Promise<{name: string, picture: boolean, needs: string[]}[]>} */
export const templates = async () => (await get("/templates")).templates;

/** @param {string} name */
export const templatePicture = (name) => `${ROOT}/templates/${encodeURIComponent(name)}/picture`;

/** @param {string} name @returns {Promise<import("./core/naming.js").Template>} */
export const template = (name) => get(`/templates/${encodeURIComponent(name)}`);

/** @param {string} id */
export const cancel = (id) => post(`/jobs/${encodeURIComponent(id)}/cancel`, {});

/** @param {string} id @returns {Promise<JobSummary>} */
export const job = (id) => get(`/jobs/${encodeURIComponent(id)}`);

/** @param {string} id @returns {Promise<unknown>} */
export const jobWorkflow = async (id) => parseExactly(await (await call(`/jobs/${encodeURIComponent(id)}/workflow`)).text());

/** @param {number} limit @returns {Promise<JobSummary[]>} newest first */
export const doneJobs = async (limit) => (await get(`/jobs?state=done&limit=${limit}`)).jobs;

/** @param {File} file @returns {Promise<{name: string, url: string}>} */
export async function upload(file) {
  const options = { method: "POST", headers: { "Content-Type": file.type || "application/octet-stream" }, body: file };
  return (await call(`/files?name=${encodeURIComponent(file.name)}`, options)).json();
}

/** @param {string} name */
export const inputUrl = (name) => `${ROOT}/files/input/${name.split("/").map(encodeURIComponent).join("/")}`;

/**
 * Follow a job's events from a number on, across reconnects, until `wanted` says no more.
 * @param {string} id
 * @param {number} after
 * @param {(events: RunEvent[]) => boolean} take  gets each batch; false ends
 * @returns {() => void} stops
 */
export function followJob(id, after, take) {
  let last = after;
  return follow(() => `job=${encodeURIComponent(id)}&after=${last}`, (events) => {
    for (const event of events) last = Math.max(last, event.n ?? 0);
    return take(events);
  });
}

/**
 * Follow the states of all jobs and of the worker.
 * @param {(events: RunEvent[]) => void} take
 * @param {(connected: boolean) => void} connection
 */
export const followAll = (take, connection) => follow(() => "", (events) => (take(events), true), connection);

/**
 * @param {() => string} query
 * @param {(events: RunEvent[]) => boolean} take
 * @param {(connected: boolean) => void} connection
 */
function follow(query, take, connection = () => {}) {
  let stopped = false;
  /** @type {WebSocket | undefined} */
  let socket;
  const stop = () => {
    stopped = true;
    socket?.close();
  };
  const connect = () => {
    if (stopped) return false;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}${ROOT}/events?${query()}`);
    socket.addEventListener("open", () => {
      connection(true);
      retry.succeeded();
    });
    socket.addEventListener("message", (message) => {
      const data = JSON.parse(message.data);
      if (!stopped && !take(Array.isArray(data) ? data : [data])) stop();
    });
    socket.addEventListener("close", () => {
      if (stopped) return;
      connection(false);
      retry.wait(connect, connect);
    });
    return true;
  };
  connect();
  return stop;
}
