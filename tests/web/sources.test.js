import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readTable, tables } from "./language.js";

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

/** What a module imports when it is wanted. @param {string} source */
const laterOf = (source) => [...source.matchAll(/\bimport\("(\..*?)"\)/g)].map((match) => match[1]);

/** @param {string} name @param {string} imported */
const targetOf = (name, imported) => relative(WEB, resolve(WEB, dirname(name), imported)).replaceAll("\\", "/");

/** Modules that nobody imports by name: the first, types, sentences (loaded by language), and what packs import. */
const ENTRIES = /^(main|weft|core\/types|strings\/\w+\/(later\/)?\w+)\.js$/;

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
      const target = targetOf(name, imported);
      assert.ok(modules.has(target), `${name} imports ${imported}, which is not there`);
      if (name.startsWith("core/")) assert.ok(target.startsWith("core/"), `${name} imports ${target}`);
    }
    if (name.startsWith("core/")) assert.doesNotMatch(source, /\b(window|navigator|localStorage|requestAnimationFrame|HTMLElement|addEventListener)\b/, name);
  }
});

test("nothing turns text into markup or code", () => {
  for (const [name, source] of modules) {
    const code = source.replaceAll(/\/\*\*.*?\*\//gs, "");
    assert.doesNotMatch(code, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function/, name);
    for (const imported of laterOf(source)) assert.ok(modules.has(targetOf(name, imported)), `${name} imports ${imported}`);
  }
  const page = readFileSync(join(WEB, "index.html"), "utf-8");
  assert.doesNotMatch(page, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?:/);
});

test("every sentence is used", () => {
  const keys = Object.keys(tables("en"));
  assert.ok(keys.length > 80);
  const used = [...modules].filter(([name]) => !name.startsWith("strings/")).map(([, source]) => source).join("\n");
  const made = [...used.matchAll(/(?:t\([^)]*?|named\([^)]*?|title: )`([\w.]+)\$\{/g)].map((match) => match[1]);
  const unused = keys.filter((key) => !used.includes(`"${key}"`) && !made.some((prefix) => key.startsWith(prefix)));
  assert.deepEqual(unused, []);
});

test("both languages say the same sentences, with the same things filled in", () => {
  const [english, chinese] = [tables("en"), tables("zh")];
  const named = ["definitions", "later/help", "later/failures", "later/problems"].flatMap((area) => Object.keys(readTable(`strings/zh/${area}.js`)));
  assert.deepEqual(Object.keys(chinese).filter((key) => !named.includes(key)).sort(), Object.keys(english).sort());
  const holes = (/** @type {string} */ text) => [...text.matchAll(/\{\w+\}/g)].map((match) => match[0]).sort();
  for (const [key, sentence] of Object.entries(english)) assert.deepEqual(holes(chinese[key]), holes(sentence), key);
});

test("an area of sentences imports nothing and has keys of its own", () => {
  for (const language of ["en", "zh"]) {
    const areas = [...modules.keys()].filter((name) => name.startsWith(`strings/${language}/`));
    const keys = areas.flatMap((name) => Object.keys(readTable(name)));
    assert.equal(new Set(keys).size, keys.length, "a key is in two areas");
    for (const name of areas) {
      assert.deepEqual(importsOf(modules.get(name) ?? ""), []);
      assert.match(modules.get(name) ?? "", new RegExp(`^export const ${name.split("/").at(-1)?.slice(0, -3)} = `, "m"));
    }
  }
});

test("every module is imported from somewhere", () => {
  const imported = new Set([...modules].flatMap(([name, source]) => [...importsOf(source), ...laterOf(source)].map((each) => targetOf(name, each))));
  const orphans = [...modules.keys()].filter((name) => !imported.has(name) && !ENTRIES.test(name));
  assert.deepEqual(orphans, []);
});
