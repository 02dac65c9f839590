/** Which parts of a picture each word of its prompt has to do with: tokens joined to words, and their maps as colours. */

import { isLink, linksOf } from "./level.js";
import { COPY } from "./run.js";

/** @import {Workflow} from "./cells.js" */
/** @import {OutputFile} from "./types.js" */
/** @typedef {{width: number, height: number, peaks: readonly number[], maps: string}} Maps  of a picture: of each token the most it gets, and in base64 its map, 255 being that most */
/** @typedef {{text: string, tokens: readonly (readonly [number, number])[], pictures: readonly Maps[]}} View  what an AttentionView recorded; tokens: from which to which letter of the text */
/** @typedef {{text: string, peak: number, map: Float32Array, width: number, height: number}} Word  map: in 0..1, 1 being the peak, which is a share of all attention */

export const RECORDER = "AttentionView";
/** Viridis, whose steps look equal to every kind of colour vision (Smith and van der Walt 2015), at nine places. */
const COLOURS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
/** A picture whose sides have another ratio than the maps is no longer what they were made of. */
const ALIKE = 1.05;

/**
 * The words of a picture, in the order of the prompt. The map of a word is the mean over all tokens that say it, wherever it
 * stands in the prompt, as in the code of DAAM (Tang et al. 2022, arXiv:2210.04885).
 * @param {View} view
 * @param {number} at  which picture
 * @param {string} language
 * @returns {Word[]}
 */
export function wordsOf({ text, tokens, pictures }, at, language) {
  const { width, height, peaks, maps } = pictures[at];
  const bytes = Uint8Array.from(atob(maps), (letter) => letter.charCodeAt(0));
  const size = width * height;
  /** @type {Map<string, Set<number>>} */
  const saying = new Map();
  for (const { segment, index, isWordLike } of new Intl.Segmenter(language, { granularity: "word" }).segment(text)) {
    if (!isWordLike) continue;
    const word = segment.toLocaleLowerCase();
    const said = saying.get(word) ?? new Set();
    for (const [number, [start, end]] of tokens.entries()) if (start < index + segment.length && end > index) said.add(number);
    if (said.size > 0) saying.set(word, said);
  }
  return [...saying].map(([word, said]) => {
    const map = new Float32Array(size);
    for (const token of said) for (let cell = 0; cell < size; cell++) map[cell] += (peaks[token] * bytes[token * size + cell]) / 255 / said.size;
    const peak = map.reduce((most, value) => Math.max(most, value), 0);
    return { text: word, peak, map: map.map((value) => (peak > 0 ? value / peak : 0)), width, height };
  });
}

/** A map as pixels, red, green, blue and opaque. @param {Float32Array} map  in 0..1 */
export function coloured(map) {
  const pixels = new Uint8ClampedArray(4 * map.length);
  for (const [cell, value] of map.entries()) {
    const place = value * (COLOURS.length - 1);
    const [from, to] = [COLOURS[Math.floor(place)], COLOURS[Math.ceil(place)]];
    pixels.set([...from.map((level, channel) => level + (place % 1) * (to[channel] - level)), 255], 4 * cell);
  }
  return pixels;
}

/**
 * The node of a workflow that recorded what a picture was looked at for: it looks at latents that the picture was made of.
 * Where several pictures were put together, on a sheet or in a batch, there is none.
 * @param {Workflow} workflow
 * @param {string} node  that made the picture
 * @returns {string | null}
 */
export function recorderOf({ nodes }, node) {
  /** @type {Set<string>} */
  const before = new Set();
  const ahead = [nodes[node] ? node : node.split(COPY)[0]];
  for (let id = ahead.pop(); id !== undefined; id = ahead.pop()) {
    if (before.has(id)) continue;
    before.add(id);
    ahead.push(...Object.values(nodes[id]?.inputs ?? {}).filter(isLink).map((link) => link.node));
  }
  const found = Object.entries(nodes).find(([, { type, inputs }]) => type === RECORDER && linksOf(inputs.latent).some((link) => before.has(link.node)));
  return found?.[0] ?? null;
}

/** Which of the recorded pictures a file of a batch is; -1 for one that is none, as it is cut or put together. @param {View} view @param {readonly OutputFile[]} batch @param {OutputFile} file */
export function placeOf({ pictures }, batch, file) {
  const at = batch.findIndex((each) => each.url === file.url);
  if (at < 0 || pictures.length !== batch.length) return -1;
  const ratio = ((file.width ?? 0) / (file.height ?? 1)) / (pictures[at].width / pictures[at].height);
  return ratio < ALIKE && ratio > 1 / ALIKE ? at : -1;
}
