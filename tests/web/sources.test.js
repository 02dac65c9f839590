import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const WEB = resolve(dirname(fileURLToPath(import.meta.url)), "../../web");
const MODULE_LINES = 400;

/** @type {ReadonlyMap<string, string>} */
const modules = new Map(
  readdirSync(WEB, { recursive: true, encoding: "utf-8" })
    .filter((name) => name.endsWith(".js"))
    .map((name) => [name.replaceAll("\\", "/"), readFileSync(join(WEB, name), "utf-8")]),
);

/** @param {string} source */
const importsOf = (source) => [...source.matchAll(/^import .*?from "(.*?)";$/gms)].map((match) => match[1]);

test("a module reads in one sitting and says what it is for", () => {
  assert.ok(modules.size > 30);
  for (const [name, source] of modules) {
    assert.ok(source.split("\n").length <= MODULE_LINES, name);
    assert.ok(source.startsWith("/**"), `${name} begins with a comment`);
  }
});

test("the core imports only the core and knows no DOM", () => {
  for (const [name, source] of modules) {
    for (const imported of importsOf(source)) {
      assert.ok(imported.startsWith("."), `${name} imports ${imported}`);
      const target = relative(WEB, resolve(WEB, dirname(name), imported)).replaceAll("\\", "/");
      assert.ok(modules.has(target), `${name} imports ${imported}, which is not there`);
      if (name.startsWith("core/")) assert.ok(target.startsWith("core/"), `${name} imports ${target}`);
    }
    if (name.startsWith("core/")) assert.doesNotMatch(source, /\b(window|navigator|localStorage|requestAnimationFrame|HTMLElement|addEventListener)\b/, name);
  }
});

test("nothing turns text into markup or code", () => {
  for (const [name, source] of modules) {
    const code = source.replaceAll(/\/\*\*.*?\*\//gs, "");
    assert.doesNotMatch(code, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|import\(/, name);
  }
  const page = readFileSync(join(WEB, "index.html"), "utf-8");
  assert.doesNotMatch(page, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?:/);
});

test("every sentence is used", () => {
  const table = modules.get("core/strings.js") ?? "";
  const keys = [...table.matchAll(/^ {2}"([\w.-]+)":/gm)].map((match) => match[1]);
  assert.ok(keys.length > 80);
  const used = [...modules].map(([, source]) => source).join("\n").replace(table, "");
  const made = [...(used + table).matchAll(/t\([^)]*?`([\w.]+)\$\{/g), ...(used + table).matchAll(/`([\w.]+\.)\$\{name\}`/g)].map((match) => match[1]);
  const unused = keys.filter((key) => !used.includes(`"${key}"`) && !made.some((prefix) => key.startsWith(prefix)));
  assert.deepEqual(unused, []);
});

test("every module is imported from somewhere", () => {
  const imported = new Set([...modules].flatMap(([name, source]) => importsOf(source).map((each) => relative(WEB, resolve(WEB, dirname(name), each)).replaceAll("\\", "/"))));
  const orphans = [...modules.keys()].filter((name) => !imported.has(name) && name !== "main.js" && name !== "core/types.js");
  assert.deepEqual(orphans, []);
});

test("the page asks for all its modules at once", () => {
  const page = readFileSync(join(WEB, "index.html"), "utf-8");
  const preloaded = [...page.matchAll(/rel="modulepreload" href="\/web\/(.*?)"/g)].map((match) => match[1]);
  const needed = [...modules.keys()].filter((name) => name !== "main.js" && name !== "core/types.js");
  assert.deepEqual(preloaded, needed.sort());
});
