/** The sentences of the page for tests: read from the files of a language, and spoken in English. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { speak } from "../../web/core/strings.js";

const WEB = resolve(dirname(fileURLToPath(import.meta.url)), "../../web");

/** @param {string} name  a module of web/strings @returns {Record<string, string>} */
export function readTable(name) {
  const body = readFileSync(resolve(WEB, name), "utf-8").replace(/^.*?export const \w+ = /s, "").replace(/,\s*\};\s*$/, "}");
  return JSON.parse(body);
}

/** All sentences of a language. @param {string} language @returns {Record<string, string>} */
export const tables = (language) => Object.assign({}, ...areasOf(language).map(readTable));

/** The modules that hold them. @param {string} language */
const areasOf = (language) =>
  readdirSync(resolve(WEB, "strings", language), { recursive: true, encoding: "utf-8" })
    .filter((name) => name.endsWith(".js"))
    .map((name) => `strings/${language}/${name.replaceAll("\\", "/")}`);

speak("en", [tables("en")]);
