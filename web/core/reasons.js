/** The engine's reasons in the language of the page, and shorter: "input cfg changed 6 -> 7" is said as "cfg 6 → 7". */

import { portLabel } from "./naming.js";
import { phrase, t } from "./strings.js";

/** @typedef {(id: string, title: string) => string} Naming  of a node: what it is called here, `title` where it is none of these */

const END = "(?=, input |, file changed: |, version changed |, and \\d+ more|$)";
const CHANGED = new RegExp(`input (\\S+) changed (?!\\(from )(.*?) -> (.*?)${END}`, "g");
const VERSION = new RegExp(`version changed (.*?) -> (.*?)${END}`, "g");
const FROM = /input (\S+) changed \(from (.*?)\)/g;
const FILE = new RegExp(`file changed: (.*?)${END}`, "g");
const FAILED = /^(.*) failed$/;
const READS = /^always runs: it reads (.*)$/;

/** Sentences of the engine that are said whole. @type {Readonly<Record<string, import("./strings.js").StringKey>>} */
const WHOLE = {
  "never run": "reason.never",
  evicted: "reason.evicted",
  "its output file is gone": "reason.fileGone",
  "same inputs as an earlier run": "reason.same",
  "same input values as an earlier run": "reason.same",
  "not needed: what reads it is cached": "reason.notNeeded",
  "not needed: nothing that ran asked for it": "reason.notChosen",
  "nothing needs it any more": "reason.notChosen",
  cancelled: "reason.cancelled",
  "computed by another job at the same time": "reason.shared",
};

/** @param {string} reason @param {Naming} naming */
export function reasonOf(reason, naming = (_, title) => title) {
  if (Object.hasOwn(WHOLE, reason)) return t(WHOLE[reason]);
  const own = reason
    .replace(READS, (_, what) => t("reason.reads", { what }))
    .replace(FAILED, (_, source) => t("reason.failed", { title: named(source, naming) }))
    .replace(FROM, (_, name, source) => t("reason.from", { input: portLabel(name), title: named(source, naming) }))
    .replace(CHANGED, (_, name, before, after) => t("reason.changed", { input: portLabel(name), before, after }))
    .replace(VERSION, (_, before, after) => t("reason.version", { before, after }))
    .replace(FILE, (_, name) => t("reason.file", { name }));
  return (own === reason ? phrase(reason) : own).replaceAll("->", "→");
}

/** @param {string} source  id and title of a node, or one word that is both @param {Naming} naming */
function named(source, naming) {
  const [, id, title] = /^(\S+) (\S.*)$/.exec(source) ?? [source, source, source];
  return naming(id, title);
}
