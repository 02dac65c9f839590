/** The picture: forming while it is made, then large; below it the earlier ones, each with the workflow that made it. */

import * as api from "../api.js";
import { button, h, setText } from "../dom.js";
import { COPY, IDLE, isActive } from "../core/run.js";
import { effect, signal } from "../core/store.js";
import { language, t } from "../core/strings.js";
import { download, draggable, thumbnailOf } from "../pictures.js";
import { titleOf } from "../canvas/look.js";

/** @import {JobSummary} from "../api.js" */
/** @import {Editor} from "../core/editor.js" */
/** @import {OutputFile} from "../core/types.js" */
/** @import {Runner} from "../runner.js" */
/** @import {Workspace} from "../workspace.js" */
/** @typedef {{job: string, node: string, file: OutputFile}} Picture */

const KEPT = 60;

/** @param {Readonly<Record<string, readonly OutputFile[]>>} outputs @param {string} job @returns {Picture[]} */
const picturesOf = (outputs, job) =>
  Object.entries(outputs).toSorted(([a], [b]) => a.localeCompare(b, "en", { numeric: true })).flatMap(([node, files]) => files.filter((file) => file.media_type.startsWith("image/")).map((file) => ({ job, node, file })));

/** @param {{editor: Editor, runner: Runner, workspace: Workspace, notify: (text: string) => void}} parts */
export function resultPanel({ editor, runner, workspace, notify }) {
  /** What is looked at. @type {import("../core/store.js").Signal<Picture | null>} */
  const shown = signal(/** @type {Picture | null} */ (null));
  /** @type {import("../core/store.js").Signal<readonly JobSummary[]>} */
  const earlier = signal(/** @type {readonly JobSummary[]} */ ([]));

  /** The values that a sweep made pictures with, by their addresses. @type {import("../core/store.js").Signal<ReadonlyMap<string, string>>} */
  const labels = signal(/** @type {ReadonlyMap<string, string>} */ (new Map()));

  const preview = h("canvas", { class: "stage-picture preview", role: "img", "aria-label": t("result.preview"), hidden: true });
  const image = h("img", { class: "stage-picture", alt: "", hidden: true });
  const empty = h("div", { class: "stage-empty" }, h("strong", {}, t("result.empty")), h("span", {}, t("result.emptyHint")));
  const stage = h("div", { class: "stage" }, empty, image, preview);
  const caption = h("div", { class: "caption" });
  const compare = button({ label: t("result.compare"), icon: "compare", class: "button" }, () => void compareWithLast());
  const tools = h(
    "div",
    { class: "result-tools", hidden: true },
    button({ label: t("result.workflow"), icon: "graph", class: "button" }, () => shown.value && void workspace.openJob(shown.value.job, shown.value.node)),
    button({ label: t("result.view"), icon: "search", class: "button" }, () => void look()),
    compare,
    button({ label: t("result.download"), icon: "download", class: "button" }, () => shown.value && download(shown.value.file)),
    button({ label: t("result.open"), icon: "external", class: "button" }, () => shown.value && open(shown.value.file.url, "_blank", "noopener")),
  );
  const film = h("div", { class: "result-film", hidden: true });
  const batchStrip = h("div", { class: "strip", role: "group", "aria-label": t("result.many"), hidden: true });
  const strip = h("div", { class: "strip earlier", role: "group", "aria-label": t("history.title") });
  const earlierSection = h("section", { class: "panel-section", hidden: true }, h("h2", {}, t("history.title")), strip);

  /** Look at the pictures of the run that made the one shown, in a window of their own. @param {string} [word]  to lay over it */
  const look = async (word) => {
    const picture = shown.peek();
    if (!picture) return;
    const { outputs, job } = runner.run.peek();
    const run = picturesOf(outputs, job ?? "");
    const isIt = (/** @type {Picture} */ each) => each.file.url === picture.file.url;
    const before = picturesOf(earlier.peek().find(({ id }) => id === picture.job)?.outputs ?? {}, picture.job);
    const all = [run, before].find((pictures) => pictures.some(isIt)) ?? [picture];
    const { lookAt } = await import("./look.js");
    await lookAt({ workspace, notify }, all, all.findIndex(isIt), word);
  };
  image.addEventListener("click", () => void look());
  draggable(image, () => shown.peek());

  /** The picture an earlier run made before the one that is looked at, of the same node where it made one. @returns {Picture | undefined} */
  const before = () => {
    const picture = shown.value;
    const runs = earlier.value.map((job) => picturesOf(job.outputs, job.id)).filter((pictures) => pictures.length > 0);
    const at = runs.findIndex(([{ job }]) => job === picture?.job);
    const older = runs.slice(at + 1).filter((pictures) => !pictures.some(({ file }) => file.url === picture?.file.url))[0] ?? [];
    return older.findLast(({ node }) => node === picture?.node) ?? older.at(-1);
  };
  const compareWithLast = async () => {
    const [older, newer] = [before(), shown.peek()];
    if (!older || !newer) return;
    const { compareResults } = await import("./compare.js");
    await compareResults({ editor, notify }, older, newer, "compare").catch((error) => notify(error.message));
  };
  effect(() => {
    compare.disabled = before() === undefined;
  });

  /** What is shown of how the picture formed. @type {Blob | null} */
  let frame = null;
  const showFrame = (/** @type {Blob | null} */ blob) => {
    frame = blob;
    if (blob) void draw(preview, blob, () => frame === blob);
    else preview.toggleAttribute("hidden", true);
  };
  effect(() => {
    const { job, state } = runner.run.value;
    const over = state === "done" && shown.value?.job === job && runner.film.length > 1;
    film.toggleAttribute("hidden", !over);
    if (!isActive(runner.run.value)) showFrame(null);
    if (over) void import("./film.js").then(({ showFilm }) => showFilm(film, runner.film, showFrame));
  });
  // What another workflow made is not the result of this one.
  effect(() => {
    workspace.current.value;
    shown.value = null;
  });
  effect(() => {
    const { outputs, job, state } = runner.run.value;
    const last = picturesOf(outputs, job ?? "").at(-1) ?? null;
    const collected = state === "done" && outputs !== IDLE.outputs;
    if (job !== null && (last || collected)) shown.value = last;
  });
  effect(() => {
    const current = runner.preview.value;
    if (current) void draw(preview, current.blob, () => runner.preview.peek() === current);
    else preview.toggleAttribute("hidden", true);
  });
  effect(() => {
    const picture = shown.value;
    const active = isActive(runner.run.value);
    const forming = runner.preview.value !== null;
    stage.classList.toggle("working", active);
    image.toggleAttribute("hidden", picture === null);
    tools.toggleAttribute("hidden", picture === null);
    empty.toggleAttribute("hidden", picture !== null || forming);
    if (picture && image.getAttribute("src") !== picture.file.url) image.src = picture.file.url;
    const title = picture && editor.document.nodes.has(picture.node) ? titleOf(editor, picture.node) : (picture?.node ?? "");
    image.alt = t("result.image", { title });
    const size = picture ? t("result.size", { width: picture.file.width ?? "?", height: picture.file.height ?? "?" }) : "";
    setText(caption, forming ? t("result.forming") : [size, labels.value.get(picture?.file.url ?? "")].filter(Boolean).join(" · "));
  });
  effect(() => {
    const { outputs, job } = runner.run.value;
    const pictures = picturesOf(outputs, job ?? "");
    batchStrip.toggleAttribute("hidden", pictures.length < 2);
    batchStrip.replaceChildren(
      ...pictures.map((picture, index) => thumbnail(picture, labels.value.get(picture.file.url) ?? t("result.pick", { number: index + 1 }), shown.value?.file.url === picture.file.url, () => {
        shown.value = picture;
      })),
    );
  });
  effect(() => {
    const { outputs, job } = runner.run.value;
    const cells = picturesOf(outputs, job ?? "").filter(({ node }) => node.includes(COPY));
    if (cells.length > 0) void import("./look.js").then(async ({ labelsOf }) => (labels.value = await labelsOf(cells)));
  });
  effect(() => {
    runner.finished.value;
    void api.doneJobs(KEPT).then((jobs) => {
      earlier.value = jobs;
    }, () => {});
  });
  effect(() => {
    /** Jobs by the last picture they made: a run that took everything from the cache made none of its own. */
    const made = new Map(earlier.value.toReversed().flatMap((job) => picturesOf(job.outputs, job.id).slice(-1).map((picture) => [picture.file.url, { job, picture }])));
    earlierSection.toggleAttribute("hidden", made.size === 0);
    strip.replaceChildren(
      ...[...made.values()].toReversed().map(({ job, picture }) => {
        const when = new Date(job.finished ?? job.created ?? 0).toLocaleString(language());
        return thumbnail(picture, t("history.show", { when }), shown.value?.file.url === picture.file.url, () => {
          shown.value = picture;
        });
      }),
    );
  });

  const told = h("section", { class: "panel-section told", hidden: true });
  effect(() => {
    const texts = Object.values(runner.run.value.outputs).flat().filter((file) => file.media_type === "application/json" || file.media_type === "text/plain");
    told.toggleAttribute("hidden", texts.length === 0);
    if (texts.length > 0) void import("./facts.js").then(({ showFacts }) => showFacts(told, texts, look));
  });

  return h(
    "div",
    { class: "result" },
    h("section", { class: "panel-section" }, h("div", { class: "section-head" }, h("h2", {}, t("result.title")), caption, tools), stage, film, batchStrip),
    told,
    earlierSection,
  );
}

/** @param {Picture} picture @param {string} label @param {boolean} current @param {() => void} press */
function thumbnail(picture, label, current, press) {
  const element = h("button", { type: "button", class: "thumb", "aria-label": label, title: label, "aria-pressed": String(current) }, h("img", { src: thumbnailOf(picture.file.url), alt: "", loading: "lazy" }));
  element.addEventListener("click", press);
  draggable(element, () => picture);
  return element;
}

/** Paint a preview, unless a later one overtook it while it was decoded. @param {HTMLCanvasElement} canvas @param {Blob} blob @param {() => boolean} current */
async function draw(canvas, blob, current) {
  const bitmap = await createImageBitmap(blob);
  if (!current()) return;
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  canvas.toggleAttribute("hidden", false);
}
