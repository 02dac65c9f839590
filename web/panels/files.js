/** The saved workflows: recent ones, all in their folders, and the trash. */

import { ApiError } from "../api.js";
import { effect } from "../core/store.js";
import { language, t } from "../core/strings.js";
import * as documents from "../documents.js";
import { button, h, placeAt, walkByArrows } from "../dom.js";
import { ask, askText } from "./dialog.js";

/** @import {Parts} from "../actions/action.js" */
/** @import {Deleted, Saved} from "../documents.js" */
/** @typedef {{folders: Map<string, Folder>, files: Saved[]}} Folder */
/** @typedef {{row: (file: Saved, title: string) => Node, opened: Set<string>, all: boolean}} Look  `opened`: paths of folders; `all`: whatever they are */

const RECENT = 5;

/** @param {Parts} parts */
export function filesPanel(parts) {
  const { workspace, settings } = parts;
  const chooser = h("input", { type: "file", accept: ".json,.png,.webp,.jpg,.jpeg,.avif,application/json,image/*", hidden: true });
  const filter = h("input", { class: "field", type: "search", "aria-label": t("files.find"), placeholder: t("files.find") });
  const list = h("div", { class: "files" });
  chooser.addEventListener("change", () => {
    const [file] = chooser.files ?? [];
    if (file) void workspace.openFile(file);
    chooser.value = "";
  });
  /** @type {{saved: Saved[], deleted: Deleted[]}} */
  let known = { saved: [], deleted: [] };
  /** Paths of the folders that stand open. @type {Set<string>} */
  const opened = new Set();
  const show = () => list.replaceChildren(...content(parts, known, filter.value, opened));
  filter.addEventListener("input", show);
  const fetchAll = async () => {
    try {
      const [{ workflows }, deleted] = await Promise.all([documents.list(), documents.trash()]);
      known = { saved: workflows, deleted };
      show();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      list.replaceChildren(h("p", { class: "quiet" }, error.message));
    }
  };
  effect(() => {
    workspace.changes.value;
    parts.dock.shown.left.value;
    void fetchAll();
  });
  effect(() => {
    settings.recent.value;
    workspace.current.value;
    show();
  });
  return h(
    "div",
    { class: "dock-body" },
    h(
      "div",
      { class: "dock-row" },
      button({ label: t("action.new"), icon: "plus", class: "button" }, () => workspace.empty()),
      button({ label: t("open.file"), icon: "file", class: "button" }, () => chooser.click()),
      button({ label: t("open.templates"), text: t("open.templates"), class: "button wide" }, () => parts.actions.get("templates")?.run()),
      chooser,
    ),
    filter,
    list,
  );
}

/** @param {Parts} parts @param {{saved: readonly Saved[], deleted: readonly Deleted[]}} known @param {string} wanted @param {Set<string>} opened @returns {Node[]} */
function content(parts, { saved, deleted }, wanted, opened) {
  const words = wanted.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const found = saved.filter(({ name }) => words.every((word) => name.toLocaleLowerCase().includes(word)));
  const recent = parts.settings.recent.peek().flatMap((name) => found.find((each) => each.name === name) ?? []).slice(0, RECENT);
  const row = (/** @type {Saved} */ each, /** @type {string} */ title) => fileRow(parts, each, title);
  if (saved.length === 0 && deleted.length === 0) return [h("p", { class: "quiet" }, t("open.none"))];
  return [
    ...(recent.length > 0 && words.length === 0 && saved.length > RECENT ? [h("h3", {}, t("files.recent")), h("ul", {}, ...recent.map((each) => row(each, each.name)))] : []),
    h("h3", {}, t("open.saved")),
    found.length === 0 && words.length > 0 ? h("p", { class: "quiet" }, t("find.none")) : tree(folderOf(found), "", { row, opened, all: words.length > 0 }),
    ...(deleted.length > 0 ? [trashList(parts, deleted)] : []),
  ];
}

/** @param {readonly Saved[]} files @returns {Folder} */
function folderOf(files) {
  /** @type {Folder} */
  const root = { folders: new Map(), files: [] };
  for (const file of files) {
    let folder = root;
    for (const part of file.name.split("/").slice(0, -1)) {
      const inner = folder.folders.get(part) ?? { folders: new Map(), files: [] };
      folder.folders.set(part, inner);
      folder = inner;
    }
    folder.files.push(file);
  }
  return root;
}

/** @param {Folder} folder @param {string} path  of the folder, with a slash behind it @param {Look} look @returns {HTMLElement} */
function tree(folder, path, look) {
  const { compare } = new Intl.Collator(language(), { numeric: true });
  const folders = [...folder.folders].sort(([a], [b]) => compare(a, b));
  const files = folder.files.toSorted((a, b) => compare(a.name, b.name));
  return h(
    "ul",
    {},
    ...folders.map(([name, inner]) => h("li", {}, folderItem(inner, name, `${path}${name}/`, look))),
    ...files.map((file) => look.row(file, file.name.split("/").at(-1) ?? "")),
  );
}

/** A folder, filled once it is open. @param {Folder} folder @param {string} name @param {string} path @param {Look} look */
function folderItem(folder, name, path, look) {
  const item = h("details", { open: look.all || look.opened.has(path) }, h("summary", {}, h("bdi", {}, name)));
  const fill = () => item.open && item.children.length === 1 && item.append(tree(folder, path, look));
  fill();
  item.addEventListener("toggle", () => {
    fill();
    if (!look.all) look.opened[item.open ? "add" : "delete"](path);
  });
  return item;
}

/** @param {Parts} parts @param {Saved} file @param {string} title */
function fileRow(parts, { name, modified }, title) {
  const { workspace, notify } = parts;
  const when = new Date(modified).toLocaleString(language(), { dateStyle: "medium", timeStyle: "short" });
  const item = h("button", { type: "button", class: "choice-item", title: name }, h("bdi", {}, title), h("small", {}, when));
  item.setAttribute("aria-current", String(workspace.current.peek()?.saved.name === name));
  item.addEventListener("click", () => void workspace.openSaved(name));
  const attempt = (/** @type {Promise<unknown>} */ work) => void work.catch((error) => notify(error.message));
  const commands = [
    { text: t("files.rename"), run: () => rename(parts, name) },
    { text: t("files.link"), run: () => attempt(navigator.clipboard.writeText(workspace.link(name)).then(() => notify(t("files.linked")))) },
    { text: t("files.compare"), run: () => attempt(import("./compare.js").then(({ compareWithSaved }) => compareWithSaved(parts, name))) },
    {
      text: t("files.delete"),
      run: () =>
        attempt(
          documents.remove(name).then(() => {
            workspace.changes.value += 1;
            notify(t("files.deleted", { name }));
          }),
        ),
    },
  ];
  /** @type {HTMLElement | undefined} */
  let menu;
  const opener = button({ label: t("files.more", { name }), icon: "more", class: "button small" }, () => {
    if (!menu) opener.after((menu = menuOf(t("files.more", { name }), commands)));
    menu.togglePopover();
    const { left, bottom } = opener.getBoundingClientRect();
    placeAt(menu, { x: left, y: bottom });
  });
  opener.setAttribute("aria-haspopup", "menu");
  return h("li", { class: "file-row" }, item, opener);
}

/** @param {string} label @param {readonly {text: string, run: () => void}[]} commands */
function menuOf(label, commands) {
  const menu = h("div", { class: "menu", popover: "auto", role: "menu", "aria-label": label });
  for (const { text, run } of commands) {
    const entry = h("button", { type: "button", role: "menuitem", class: "menu-item" }, text);
    entry.addEventListener("click", () => {
      menu.hidePopover();
      run();
    });
    menu.append(entry);
  }
  walkByArrows(menu);
  return menu;
}

/** @param {Parts} parts @param {string} name */
function rename({ workspace }, name) {
  const look = { title: t("files.rename"), label: t("save.name"), value: name, confirm: t("files.rename"), hint: t("save.folders") };
  void askText(look, async (to) => {
    if (to === name) return;
    await documents.rename(name, to);
    workspace.renamed(name, to);
  });
}

/** @param {Parts} parts @param {readonly Deleted[]} deleted */
function trashList({ workspace, notify }, deleted) {
  const act = (/** @type {Promise<unknown>} */ work) => void work.then(() => (workspace.changes.value += 1), (error) => notify(error.message));
  const rows = deleted.map(({ id, name }) =>
    h(
      "li",
      { class: "file-row" },
      h("bdi", { class: "choice-item" }, name),
      button({ label: t("files.restore", { name }), icon: "undo", class: "button small" }, () => act(documents.undelete(id))),
      button({ label: t("files.destroy", { name }), icon: "close", class: "button small" }, () =>
        ask(t("files.trash"), t("files.destroyQuestion", { name }), [
          { text: t("close.keep"), run: () => {} },
          { text: t("files.destroyNow"), class: "danger", run: () => act(documents.destroy(id)) },
        ]),
      ),
    ),
  );
  return h("details", { class: "trash" }, h("summary", {}, t("files.trash")), h("ul", {}, ...rows));
}
