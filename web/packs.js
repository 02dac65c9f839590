/** Runs the modules of the packs that a person allowed. A pack that the page did not outlive is not allowed any more. */

import { ApiError } from "./api.js";
import { t } from "./core/strings.js";
import { known, registry } from "./extensions.js";
import { learnAll } from "./language.js";

/** @import {Action, Parts} from "./actions/action.js" */

/** What hangs by then hung because of the pack. */
const SETTLED_MS = 1000;

/** In the browser while a module is begun; it stays there when the page hangs. @param {string} name */
const markOf = (name) => `weft.beginning.${name}`;

/** @param {Parts} parts */
export async function startPacks({ settings, dock, actions, editor, notify }) {
  registry.fail = (what, error) => notify(t("packs.failed", { what, why: String(error) }));
  registry.add = { panel: (panel) => dock.add(panel), command: (action) => void /** @type {Map<string, Action>} */ (actions).set(action.id, action) };
  try {
    const [there, begun] = await Promise.all([known(), navigator.locks?.query(), learnAll()]);
    const elsewhere = new Set(begun?.held?.map((lock) => lock.name));
    const allowed = settings.packs.peek();
    const hung = allowed.filter((name) => localStorage.getItem(markOf(name)) !== null && !elsewhere.has(markOf(name)));
    const wanted = allowed.filter((name) => there.includes(name) && !hung.includes(name));
    if (wanted.length < allowed.length) settings.packs.value = wanted; // What comes back later has to be allowed anew.
    for (const name of hung) localStorage.removeItem(markOf(name));
    if (hung.length > 0) notify(t("packs.hung", { names: hung.join(", ") }));
    for (const name of wanted) void start(name, editor);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    notify(error.message);
  }
}

/** Run a pack's module; what it brings is there as soon as it has, whatever others do. @param {string} name @param {Parts["editor"]} editor */
async function start(name, editor) {
  const before = registry.controls.size;
  const end = begin(name);
  await import(`/packs/${encodeURIComponent(name)}/index.js`).catch((error) => registry.fail(name, error));
  if (registry.controls.size > before) editor.setCatalogue(editor.catalogue);
  setTimeout(end, SETTLED_MS);
}

/** Leave the mark of a pack until it has begun; a lock tells other windows that one of them is at it. @param {string} name */
function begin(name) {
  const over = new AbortController();
  const { signal } = over;
  localStorage.setItem(markOf(name), "");
  void navigator.locks?.request(markOf(name), { mode: "shared" }, () => new Promise((resolve) => signal.addEventListener("abort", resolve)));
  signal.addEventListener("abort", () => localStorage.removeItem(markOf(name)));
  const end = () => over.abort();
  addEventListener("pagehide", end, { signal });
  return end;
}
