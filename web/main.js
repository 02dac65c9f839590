/** The page: makes every part, hands each what it needs, and connects it to the server. */

import * as api from "./api.js";
import { createActions } from "./actions/index.js";
import { listenToKeys } from "./actions/keys.js";
import { Input } from "./canvas/input.js";
import { View } from "./canvas/view.js";
import { addPictureNode, listenToClipboard, listenToDrops } from "./clipboard.js";
import { toScreen } from "./core/camera.js";
import { Editor } from "./core/editor.js";
import { effect } from "./core/store.js";
import { t } from "./core/strings.js";
import { h } from "./dom.js";
import * as extensions from "./extensions.js";
import { Engine } from "./engine.js";
import { Forecast } from "./forecast.js";
import { crumbs } from "./panels/crumbs.js";
import { Dock } from "./panels/dock.js";
import { Notice } from "./panels/notice.js";
import { tourOffer } from "./panels/offer.js";
import { resultPanel } from "./panels/result.js";
import { NodeSearch } from "./panels/search.js";
import { tabBar } from "./panels/tabs.js";
import { topBar } from "./panels/topbar.js";
import { learnAll, speakChosen } from "./language.js";
import { Runner } from "./runner.js";
import { statusOf } from "./status.js";
import { fieldsOf } from "./widgets/field.js";
import { applyLook, createSettings, viewOf } from "./settings.js";
import { Workspace } from "./workspace.js";

/** @import {Point, PortRef} from "./core/types.js" */

/** Milliseconds from the first view to what is not needed for it. */
const LATER = 1000;

const settings = createSettings(localStorage);
applyLook(settings);
await speakChosen(settings);

const notice = new Notice();
document.body.append(notice.element);
const notify = (/** @type {string} */ text) => notice.show(text);
const editor = new Editor();
const engine = new Engine(editor, notify);
const definitions = engine.refresh();
const runner = new Runner(editor, notify);
const forecast = new Forecast(editor, runner, engine);
const status = statusOf(editor, runner, forecast);
const workspace = new Workspace(editor, runner, settings, notify);
const search = new NodeSearch(editor);

/** The name a file goes by on the server; null where it is refused. @param {File} file */
async function send(file) {
  notify(t("widget.uploading", { name: file.name }));
  try {
    const { name } = await api.upload(file);
    notify(t("widget.uploaded", { name: file.name }));
    return name;
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    notify(t("widget.uploadFailed", { name: file.name, why: error.message }));
    return null;
  }
}

/** @param {string} id @param {string} input @param {File} file */
async function upload(id, input, file) {
  const name = await send(file);
  if (name !== null) editor.setInput(id, input, name);
}

/** A pasted picture that carries no workflow becomes a node that loads it; anything else is opened. @param {File} file @param {Point} at */
async function takeFile(file, at) {
  const { carriesWorkflow } = await import("./carried.js");
  const picture = file.type.startsWith("image/") && !(await carriesWorkflow(file));
  if (!picture) return workspace.openFile(file);
  const name = await send(file);
  const target = name === null ? null : addPictureNode(editor, at);
  if (!target) return;
  editor.setInput(target.id, target.input, name);
  view.focus(target.id);
}

const work = h("main", { class: "work" });
const fields = fieldsOf({ editor, runner, upload });
const view = new View(work, editor, () => status.peek(), { fields });

/** Ask for a node and add it there. @param {{at: Point, from: PortRef | null}} request  a point of the view */
function ask({ at, from }) {
  const rect = view.element.getBoundingClientRect();
  search.open({ x: at.x + rect.left, y: at.y + rect.top }, from, (spec) => {
    const world = view.toWorld(at);
    const id = editor.add(spec, { x: Math.round(world.x), y: Math.round(world.y) }, from);
    view.reveal(id);
    view.focus(id);
  });
}

const input = new Input(view, editor, ask, (event) => void openMenuAt(event), () => settings.snap.peek());
/** Where a node is wanted: under the pointer, else to the right of the selected one, else in view. @returns {Point} */
function wanted() {
  if (view.pointing && input.pointer) return input.pointer;
  const [id] = editor.selection.peek();
  const box = id === undefined ? undefined : editor.scene.nodes.box(id);
  return box ? toScreen(view.camera, { x: box.x + box.w + 64, y: box.y }) : { x: view.size.w / 3, y: view.size.h / 3 };
}
const dock = new Dock();

/** @param {MouseEvent} event */
const openMenuAt = async (event) => (await import("./panels/menu.js")).openMenu(parts, event);

/** Select a node, beside others, and bring it into view, from the form too. @param {string} id @param {readonly string[]} others */
function show(id, others = []) {
  editor.select([...others, id]);
  if (viewOf(settings) === "form") return void import("./panels/form.js").then(({ showFromForm }) => showFromForm(parts, id));
  view.reveal(id);
  view.focus(id);
}

/** @type {import("./actions/action.js").Parts} */
const parts = { editor, runner, forecast, status, workspace, view, engine, dock, settings, notify, show, search, pointer: wanted, addNode: () => ask({ at: wanted(), from: null }), actions: new Map(), fields, extensions, addFor: (from) => ask({ at: wanted(), from }) };
const actions = createActions(parts);
parts.actions = actions;
workspace.lens = { get: () => view.camera, set: (/** @type {import("./core/camera.js").Camera} */ camera) => view.jump(camera) };
const started = workspace.start(definitions);
const result = resultPanel(parts);
const home = h("div", { class: "home" }, tourOffer(parts), result);
dock.start(parts, actions, home);
work.prepend(dock.rail, dock.left);
view.element.append(crumbs(editor, view));
work.append(dock.right);
const all = [topBar(parts, actions), tabBar(parts), work, notice.element, search.element];

effect(() => {
  status.value;
  editor.selection.value;
  editor.selectedWire.value;
  editor.selectedFrame.value;
  view.statusChanged();
});
editor.watch((touched, content) => {
  if (touched === null && content) view.fit();
});
effect(() => {
  view.links = settings.links.value;
  view.largest = settings.textSize.value / 100;
});
effect(() => {
  const { value } = runner.preview;
  if (value) view.preview(value.node, value.blob);
});
effect(() => {
  view.showHint(editor.version.value >= 0 && workspace.loaded.value && editor.document.nodes.size === 0);
});
listenToKeys(actions, (event) => {
  const onPage = event.target === document.body || (event.target instanceof Element && view.element.contains(event.target));
  const plain = !event.ctrlKey && !event.metaKey && !/^(\?|F\d+)$/.test(event.key);
  // A button pressed before, such as Run, keeps the focus; letters mean nothing to it.
  const onButton = event.target instanceof HTMLButtonElement && event.key.length === 1 && event.key !== " " && !event.target.closest("[popover]");
  if (plain && ((!onPage && !onButton) || event.target instanceof HTMLInputElement)) return true;
  return event.key === "Tab" && (event.shiftKey || !view.pointing);
});
const openLink = (/** @type {string} */ text) => workspace.openLink(text);
listenToClipboard(editor, () => view.toWorld(wanted()), notify, (file, at) => void takeFile(file, at), openLink);
listenToDrops(editor, view, { open: (file, at) => void (at ? takeFile(file, at) : workspace.openFile(file)), upload: (id, name, file) => void upload(id, name, file), openJob: (job, node) => void workspace.openJob(job, node), openLink });

/** @type {Promise<void> | undefined} */
let recover;
effect(() => {
  if (workspace.left.value.length > 0) recover ??= import("./panels/recover.js").then(async ({ recoverPanel }) => home.prepend(await recoverPanel(workspace)));
});

/** @type {Promise<void> | undefined} */
let problems;
effect(() => {
  if (runner.problems.value.size > 0) problems ??= import("./panels/problems.js").then(({ problemsPanel }) => result.before(problemsPanel(editor, runner, show)));
});

/** @type {Promise<void> | undefined} */
let form;
effect(() => {
  if (viewOf(settings) === "form") form ??= import("./panels/form.js").then(({ formView }) => dock.right.before(formView(parts)));
});

if (new URLSearchParams(location.search).get("bench") === "1") Object.assign(window, { __bench: (await import("./bench.js")).bench(editor, view, runner) });

await started;
// Only now, so that the first picture of the page is a whole one and nothing is drawn twice.
document.body.replaceChildren(...all);
setTimeout(() => engine.follow());
if (settings.packs.peek().length > 0) void import("./packs.js").then(({ startPacks }) => startPacks(parts));
setTimeout(async () => {
  void workspace.look();
  (await import("./focus.js")).keepFocus(parts);
  await Promise.all([learnAll(), import("./widgets/prompt.js"), import("./carried.js")]);
  (await import("./speak.js")).speak(parts);
  (await import("./announce.js")).announce(parts);
}, LATER);
