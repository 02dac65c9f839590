/** All pictures that were made here, newest first: searched by prompt, model, seed and day; each opens with the workflow that made it. */

import { ApiError, call, ROOT } from "../api.js";
import { button, h, setText } from "../dom.js";
import { parseExactly } from "../core/json.js";
import { effect } from "../core/store.js";
import { language, t } from "../core/strings.js";
import { draggable, thumbnailOf } from "../pictures.js";
import { ask } from "./dialog.js";
import { Windowed } from "./windowed.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {OutputFile} from "../core/types.js" */
/** @typedef {{job: string, finished: number, prompts: string[], models: string[], seeds: import("../core/seeds.js").Seed[], pictures: (OutputFile & {node: string})[]}} Result */
/** @typedef {{picture: OutputFile & {node: string}, result: Result}} Cell */

/** As many as the server looks through for a page: asking for fewer takes it as long. */
const PAGE = 200;
const TYPING_MS = 250;
const DAY_MS = 86_400_000;

/** @param {Parts} parts */
export function galleryPanel({ editor, runner, workspace, notify }) {
  const search = h("input", { type: "search", class: "field", placeholder: t("gallery.search"), "aria-label": t("gallery.search") });
  const since = h("input", { type: "date", class: "field", "aria-label": t("gallery.since") });
  const until = h("input", { type: "date", class: "field", "aria-label": t("gallery.until") });
  /** @type {Windowed<Cell>} */
  const grid = new Windowed(t("gallery.title"), (cell) => elementOf(cell), () => void more());
  const empty = h("p", { class: "quiet", hidden: true }, t("gallery.none"));
  const chosenText = h("span", { class: "quiet" });
  const compare = button({ label: t("gallery.compare"), text: t("gallery.compare"), class: "button wide" }, () => void compareChosen("compare"));
  const overlay = button({ label: t("gallery.overlay"), icon: "layers", class: "button" }, () => void compareChosen("overlay"));
  const remove = button({ label: t("gallery.delete"), text: t("gallery.delete"), class: "button wide" }, () => askToDelete(chosen));
  const chosenBar = h("div", { class: "section-head", hidden: true }, chosenText, h("span", { class: "spring" }), remove, overlay, compare);
  const words = h("ul", { class: "differences" });
  /** @type {Cell[]} */
  let cells = [];
  /** @type {Cell[]} */
  let chosen = [];
  /** @type {string | null} */
  let cursor = "";
  let asked = 0;
  let loading = false;

  /** What is there from a place of the list on; null where it could not be read, or is no longer asked for. @param {string} from @returns {Promise<{results: Result[], next: string | null} | null>} */
  const fetchFrom = async (from) => {
    const mine = asked;
    const query = new URLSearchParams({ q: search.value, limit: String(PAGE), cursor: from });
    if (since.value) query.set("since", String(new Date(`${since.value}T00:00`).getTime()));
    if (until.value) query.set("until", String(new Date(`${until.value}T00:00`).getTime() + DAY_MS));
    try {
      const page = parseExactly(await (await call(`/results?${query}`)).text());
      return mine === asked ? page : null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      notify(error.message);
      return null;
    }
  };
  /** Those that are not shown yet: a run that took all from the cache made the picture of an earlier one. @param {readonly Result[]} results */
  const cellsOf = (results) => {
    const known = new Set(cells.map(({ picture }) => picture.url));
    const all = results.flatMap((result) => result.pictures.map((picture) => ({ picture, result })));
    return all.filter(({ picture: { url } }) => !known.has(url) && known.add(url));
  };
  const showCells = () => {
    empty.toggleAttribute("hidden", cells.length > 0 || cursor !== null);
    grid.show(cells, cursor !== null);
  };
  const more = async () => {
    if (cursor === null || loading) return;
    loading = true;
    const mine = asked;
    const page = await fetchFrom(cursor);
    if (mine === asked) loading = false;
    if (page === null) return;
    cursor = page.next;
    cells = [...cells, ...cellsOf(page.results)];
    showCells();
  };
  /** What was made since comes before what is shown, which stays as it is. */
  const fresh = async () => {
    if (cursor === "") return again();
    const page = await fetchFrom("");
    if (page === null) return;
    cells = [...cellsOf(page.results), ...cells];
    showCells();
  };
  const again = () => {
    asked += 1;
    [cells, chosen, cursor, loading] = [[], [], "", false];
    showChosen();
    showCells();
  };

  /** @param {Cell} cell */
  const elementOf = (cell) => {
    const { picture, result } = cell;
    const about = [result.prompts[0], result.seeds.length > 0 ? t("gallery.seed", { seed: result.seeds.join(", ") }) : "", new Date(result.finished).toLocaleString(language())].filter(Boolean).join("\n");
    const element = h("button", { type: "button", class: "thumb", title: about, "aria-label": about, "aria-pressed": String(chosen.includes(cell)) }, h("img", { src: thumbnailOf(picture.url), alt: "", draggable: "false" }));
    draggable(element, () => madeOf(cell));
    element.addEventListener("click", (event) => (event.shiftKey || event.ctrlKey || event.metaKey ? choose(cell) : void look(cell)));
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.shiftKey) {
        event.preventDefault();
        choose(cell);
      } else if (event.key === "Delete") askToDelete(chosen.includes(cell) ? chosen : [cell]);
      else if (event.key === "o") void workspace.openJob(result.job, picture.node);
    });
    return element;
  };
  /** @param {Cell} cell @returns {import("./look.js").Made} */
  const madeOf = ({ picture, result }) => ({ job: result.job, node: picture.node, file: picture, about: result.prompts[0] });
  /** @param {Cell} cell */
  const look = async (cell) => {
    const { lookAt } = await import("./look.js");
    await lookAt({ workspace, notify }, cells.map(madeOf), cells.indexOf(cell));
  };
  /** @param {Cell} cell */
  const choose = (cell) => {
    chosen = chosen.includes(cell) ? chosen.filter((each) => each !== cell) : [...chosen, cell];
    showChosen();
  };
  const showChosen = () => {
    for (const [cell, element] of grid.shown()) element.setAttribute("aria-pressed", String(chosen.includes(cell)));
    chosenBar.toggleAttribute("hidden", chosen.length === 0);
    for (const each of [compare, overlay]) each.disabled = chosen.length !== 2;
    setText(chosenText, chosen.length === 1 ? t("gallery.chooseTwo") : t("gallery.chosen", { count: chosen.length }));
    words.replaceChildren();
    if (chosen.length === 1) words.append(...facts(chosen[0]));
  };
  /** What a picture was made of. @param {Cell} cell */
  const facts = ({ picture, result: { job, prompts, models, seeds } }) => [
    ...[...prompts, ...models, ...seeds.map((seed) => t("gallery.seed", { seed }))].map((text) => h("li", {}, text)),
    h("li", {}, button({ label: t("result.workflow"), text: t("result.workflow"), icon: "graph", class: "button" }, () => void workspace.openJob(job, picture.node))),
  ];
  /** @param {readonly Cell[]} doomed */
  const askToDelete = (doomed) => {
    const title = doomed.length === 1 ? t("gallery.deleteOne") : t("gallery.deleteMany", { count: doomed.length });
    ask(title, t("gallery.forGood"), [
      { text: t("gallery.keep"), run: () => {} },
      { text: t("gallery.delete"), class: "wide danger", run: () => void deleteAll(doomed) },
    ]);
  };
  /** Those that cannot be deleted stay. @param {readonly Cell[]} doomed */
  const deleteAll = async (doomed) => {
    const at = cells.indexOf(doomed[0]);
    /** @type {Set<string>} */
    const gone = new Set();
    for (const { picture } of doomed) {
      try {
        await call(picture.url.replace(ROOT, ""), { method: "DELETE" });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status !== 404) {
          notify(error.message);
          break;
        }
      }
      gone.add(picture.url);
    }
    cells = cells.filter(({ picture }) => !gone.has(picture.url));
    chosen = chosen.filter(({ picture }) => !gone.has(picture.url));
    showChosen();
    showCells();
    if (!grid.focus(cells[Math.min(at, cells.length - 1)])) search.focus();
    runner.finished.value += 1;
  };
  const compareChosen = async (/** @type {"compare" | "overlay"} */ mode) => {
    const { compareResults, linesOf } = await import("./compare.js");
    const [older, newer] = chosen.toSorted((a, b) => a.result.finished - b.result.finished).map(madeOf);
    try {
      words.replaceChildren(...linesOf(await compareResults({ editor, notify }, older, newer, mode)));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      notify(error.message);
    }
  };

  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(again, TYPING_MS);
  });
  for (const box of [since, until]) box.addEventListener("change", again);
  effect(() => {
    runner.finished.value;
    void fresh();
  });
  return h(
    "section",
    { class: "panel-section gallery" },
    h("div", { class: "section-head" }, h("h2", {}, t("gallery.title"))),
    search,
    h("div", { class: "gallery-days" }, h("label", {}, t("gallery.since"), since), h("label", {}, t("gallery.until"), until)),
    chosenBar,
    words,
    empty,
    grid.element,
  );
}
