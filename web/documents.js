/** Client of the saved workflows: their text, drafts, revisions and the trash. A revision is told without quotes. */

import { ApiError, call } from "./api.js";
import { parseExactly } from "./core/json.js";
import { t } from "./core/strings.js";

/**
 * @typedef {{name: string, revision: string, modified: number}} Saved  `modified` in ms since the epoch
 * @typedef {{name: string, base: string | null, saved: number}} DraftNote
 * @typedef {{revision: string, saved: number, label: string | null}} Revision
 * @typedef {{id: string, name: string, deleted: number}} Deleted
 */

/** The answer to a save that came too late: an error would be a message in the browser's console. */
const CONFLICT = 202;

/** @param {string} name @param {string} rest */
const at = (name, rest = "") => `/workflows/${encodeURIComponent(name)}${rest}`;

/** @param {string | null} revision @returns {Record<string, string>} */
const over = (revision) => (revision === null ? {} : { "If-Match": revision === "*" ? "*" : `"${revision}"` });

/**
 * Send JSON text.
 * @param {string} method @param {string} path @param {string} body @param {Record<string, string>} headers
 * @param {boolean} keepalive  also when the page goes away meanwhile
 */
const send = (method, path, body, headers = {}, keepalive = false) =>
  call(path, { method, keepalive, body, headers: { "Content-Type": "application/json", ...headers } });

/** @param {Response} response */
const revisionOf = (response) => (response.headers.get("ETag") ?? "").replaceAll('"', "");

/** @returns {Promise<{workflows: Saved[], drafts: DraftNote[]}>} */
export const list = async () => (await call("/workflows")).json();

/** @param {string} name @returns {Promise<{workflow: unknown, revision: string}>} */
export async function read(name) {
  const response = await call(at(name));
  return { workflow: parseExactly(await response.text()), revision: revisionOf(response) };
}

/**
 * Save; `revision` is the one this replaces, null for a name that is free, "*" for whatever is there. Throws ApiError 409
 * when it is not the latest.
 * @param {string} name
 * @param {string} text
 * @param {string | null} revision
 * @param {{label?: string, draft?: string}} more  a name for what is saved; the revision of the draft it makes needless
 * @returns {Promise<string>} the revision saved
 */
export async function save(name, text, revision, more = {}) {
  const query = String(new URLSearchParams(Object.entries(more).filter(([, value]) => value)));
  const response = await send("PUT", at(name, query && `?${query}`), text, { ...over(revision), Prefer: "handling=lenient" });
  if (response.status === CONFLICT) throw new ApiError(409, t("conflict.title"));
  return revisionOf(response);
}

/** @param {string} name @param {string} to */
export const rename = (name, to) => send("POST", at(name, "/rename"), JSON.stringify({ name: to }));

/** Into the trash. @param {string} name */
export const remove = (name) => call(at(name), { method: "DELETE", headers: over("*") });

/** @param {string} name @returns {Promise<Revision[]>} newest first */
export const revisions = async (name) => (await (await call(at(name, "/revisions"))).json()).revisions;

/** A workflow as it was saved then. @param {string} name @param {string} revision @returns {Promise<unknown>} */
export const revision = async (name, revision) => parseExactly(await (await call(at(name, `/revisions/${revision}`))).text());

/** The same; null where it is no longer kept. @param {string} name @param {string} at @returns {Promise<unknown>} */
export const revisionIfKept = (name, at) =>
  revision(name, at).catch((error) => {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  });

/** @param {string} name @param {string} revision @param {string | null} label */
export const label = (name, revision, label) => send("PATCH", at(name, `/revisions/${revision}`), JSON.stringify({ label }));

/** @param {string} name @returns {Promise<{workflow: unknown, base: string | null}>} */
export async function draft(name) {
  const response = await call(at(name, "/draft"));
  return { workflow: parseExactly(await response.text()), base: response.headers.get("Weft-Base")?.replaceAll('"', "") ?? null };
}

/** @param {string} name @param {string} text @param {string | null} base @param {boolean} leaving  the page is going away @returns {Promise<string>} its own revision */
export async function writeDraft(name, text, base, leaving) {
  const response = await send("PUT", at(name, `/draft${base === null ? "" : `?base=${base}`}`), text, {}, leaving);
  return (await response.json()).revision;
}

/** @param {string} name */
export const dropDraft = (name) => call(at(name, "/draft"), { method: "DELETE" });

/** @returns {Promise<Deleted[]>} latest first */
export const trash = async () => (await (await call("/trash")).json()).workflows;

/** @param {string} id @returns {Promise<{name: string}>} */
export const undelete = async (id) => (await send("POST", `/trash/${encodeURIComponent(id)}/restore`, "{}")).json();

/** For good. @param {string} id */
export const destroy = (id) => call(`/trash/${encodeURIComponent(id)}`, { method: "DELETE" });
