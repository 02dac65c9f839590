/** What nodes tell as text: curves of noise levels and of latents, tokens of a prompt, words to look at, else the text itself. */

import { button, h, setAttributes } from "../dom.js";
import { wordsOf } from "../core/heat.js";
import { isRecord } from "../core/level.js";
import { language, t } from "../core/strings.js";
import { learnAll } from "../language.js";

/** @import {OutputFile} from "../core/types.js" */
/** @typedef {{name: string, values: readonly (number | null)[]}} Line */
/** @typedef {{mean: number, std: number, min: number, max: number}} Channel */

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [400, 200, 44, 22, 12];

/** Show the texts of a run. @param {HTMLElement} place @param {readonly OutputFile[]} files @param {(word: string) => void} look  lays a word over the picture */
export async function showFacts(place, files, look) {
  const [texts] = await Promise.all([Promise.all(files.map(async (file) => (await fetch(file.url)).text())), learnAll()]);
  place.replaceChildren(...texts.flatMap((text) => elementsOf(text, look)));
  // Of a sweep each picture has words; they are offered once for each prompt.
  const said = new Set();
  for (const group of place.querySelectorAll(".heat-group")) if (said.has(group.textContent) || !said.add(group.textContent)) group.remove();
}

/** @param {string} text @param {(word: string) => void} look @returns {HTMLElement[]} */
function elementsOf(text, look) {
  const data = parsed(text);
  const rows = Array.isArray(data) ? data : [];
  const first = rows[0];
  if (first && "log_snr" in first) {
    const line = (/** @type {string} */ name) => rows.map((row) => (typeof row[name] === "number" ? row[name] : null));
    return [plot(t("facts.sigma"), [{ name: "sigma", values: line("sigma") }]), plot(t("facts.snr"), [{ name: "log snr", values: line("log_snr") }])];
  }
  if (first && "estimate" in first) return ["std", "mean"].map((name) => plot(t(name === "std" ? "facts.spread" : "facts.mean"), channelLines(rows, name)));
  if (first && "std" in first) return [table(/** @type {Channel[]} */ (rows))];
  if (isTokens(data)) return Object.entries(data).flatMap(([tower, chunks]) => [h("h3", {}, tower), ...chunks.map(tokens)]);
  if (isView(data)) return [words(data, look)];
  return [h("pre", { class: "told-text", tabindex: 0 }, text)];
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** @param {unknown} data @returns {data is Record<string, {tokens: {text: string, weight: number}[], padding: number}[]>} */
const isTokens = (data) =>
  typeof data === "object" && data !== null && !Array.isArray(data) && Object.keys(data).length > 0 &&
  Object.values(data).every((chunks) => Array.isArray(chunks) && chunks.every((chunk) => Array.isArray(chunk?.tokens)));

/** @param {unknown} data @returns {data is import("../core/heat.js").View} */
const isView = (data) => isRecord(data) && typeof data.text === "string" && Array.isArray(data.tokens) && Array.isArray(data.pictures);

/** @param {import("../core/heat.js").View} view @param {(word: string) => void} look */
const words = (view, look) =>
  h(
    "section",
    { class: "heat-group" },
    h("h3", {}, t("heat.words")),
    h("p", { class: "tokens" }, ...wordsOf(view, 0, language()).map(({ text }) => button({ label: t("heat.show", { word: text }), text, class: "button heat-word" }, () => look(text)))),
  );

/** A line for each channel, step by step. @param {readonly {estimate: Channel[]}[]} rows @param {string} name @returns {Line[]} */
const channelLines = (rows, name) =>
  rows[0].estimate.map((_, channel) => ({ name: String(channel), values: rows.map((row) => /** @type {Record<string, number>} */ (/** @type {unknown} */ (row.estimate[channel]))[name] ?? null) }));

/** @param {string} title @param {readonly Line[]} lines */
function plot(title, lines) {
  const known = lines.flatMap((line) => line.values.filter((value) => value !== null));
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const count = Math.max(...lines.map((line) => line.values.length));
  const x = (/** @type {number} */ i) => LEFT + ((WIDTH - LEFT - 8) * i) / Math.max(1, count - 1);
  const y = (/** @type {number} */ value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * (value - low)) / (high - low || 1);
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "plot", role: "img", "aria-label": t("facts.plot", { title, low: low.toPrecision(3), high: high.toPrecision(3), count }) });
  svg.append(shape("path", { d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - 8}`, class: "axis" }));
  for (const [text, px, py, anchor] of /** @type {[string, number, number, string][]} */ ([[high.toPrecision(3), LEFT - 4, TOP + 8, "end"], [low.toPrecision(3), LEFT - 4, HEIGHT - BOTTOM, "end"], ["1", LEFT, HEIGHT - 6, "middle"], [String(count), WIDTH - 8, HEIGHT - 6, "end"]])) {
    const label = shape("text", { x: px, y: py, "text-anchor": anchor });
    label.textContent = text;
    svg.append(label);
  }
  for (const [index, line] of lines.entries()) {
    const points = line.values.flatMap((value, i) => (value === null ? [] : [`${x(i).toFixed(1)} ${y(value).toFixed(1)}`]));
    const path = shape("path", { d: `M${points.join("L")}`, class: "line" });
    path.style.setProperty("--hue", String((index * 360) / lines.length));
    svg.append(path);
  }
  return h("figure", { class: "told-plot" }, h("figcaption", {}, title), /** @type {any} */ (svg));
}

/** @param {string} tag @param {Readonly<Record<string, string | number>>} attributes @returns {SVGElement} */
function shape(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(element, attributes);
  return /** @type {SVGElement} */ (element);
}

/** @param {readonly Channel[]} channels */
const table = (channels) =>
  h(
    "table",
    { class: "told-table" },
    h("thead", {}, h("tr", {}, ...[t("facts.channel"), t("facts.mean"), t("facts.spread"), t("facts.least"), t("facts.most")].map((text) => h("th", {}, text)))),
    h("tbody", {}, ...channels.map(({ mean, std, min, max }, index) => h("tr", {}, ...[index, mean, std, min, max].map((value) => h("td", {}, typeof value === "number" ? String(Number(value.toPrecision(4))) : ""))))),
  );

/** @param {{tokens: {text: string, weight: number}[], padding: number}} chunk */
const tokens = (chunk) => h("p", { class: "tokens" }, ...chunk.tokens.map(({ text, weight }) => h("span", { class: "token", title: String(weight) }, text.trim(), weight === 1 ? null : h("small", {}, String(weight)))));
