/** Commands about documents and files. */

import { t } from "../core/strings.js";
import { always } from "./action.js";

/** @type {import("./action.js").ActionGroup} */
export function fileActions(parts) {
  const { workspace, notify } = parts;
  const later = async () => import("../panels/save.js");
  const many = () => workspace.tabs.value.length > 1;
  const copyLink = async () => {
    const name = workspace.current.peek()?.saved.name ?? "";
    if (name === "") return notify(t("files.unsaved"));
    const link = workspace.link(name);
    // A page that came without encryption from another machine has no clipboard: the link is shown to be copied by hand.
    const copied = navigator.clipboard?.writeText(link).then(() => true, () => false);
    notify((await copied) ? t("files.linked") : link);
  };
  return [
    { id: "new", title: "action.new", keys: ["Alt+N"], enabled: always, run: () => workspace.empty() },
    { id: "templates", title: "action.templates", keys: [], enabled: always, run: () => void import("../panels/templates.js").then(({ openTemplates }) => openTemplates(parts)) },
    { id: "save", title: "action.save", keys: ["Mod+S"], everywhere: true, enabled: always, run: () => void later().then(({ save }) => save(parts)) },
    { id: "saveAs", title: "action.saveAs", keys: ["Mod+Shift+S"], everywhere: true, enabled: always, run: () => void later().then(({ saveAs }) => saveAs(parts)) },
    { id: "saveVersion", title: "action.saveVersion", keys: [], enabled: always, run: () => void later().then(({ saveVersion }) => saveVersion(parts)) },
    { id: "download", title: "action.download", keys: [], enabled: always, run: () => void import("../export.js").then(({ exportJson }) => exportJson(parts)) },
    { id: "exportPng", title: "action.exportPng", keys: [], enabled: always, run: () => void import("../export.js").then(({ exportPng }) => exportPng(parts)) },
    { id: "copyLink", title: "action.copyLink", keys: [], enabled: always, run: () => void copyLink() },
    { id: "closeTab", title: "action.closeTab", keys: ["Alt+W"], enabled: always, run: () => void later().then(({ closeTab }) => closeTab(parts, workspace.current.peek())) },
    { id: "nextTab", title: "action.nextTab", keys: ["Alt+PageDown"], everywhere: true, enabled: many, run: () => workspace.step(1) },
    { id: "previousTab", title: "action.previousTab", keys: ["Alt+PageUp"], everywhere: true, enabled: many, run: () => workspace.step(-1) },
  ];
}
