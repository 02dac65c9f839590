/** What the engine says, its sentences and parts of them, in another language: a table has them with "*" for names, numbers and further phrases. */

import { filled } from "./strings.js";

/** @import {Phrase, Table} from "./strings.js" */

const KEY = "phrase.";

/** @param {Table} table @returns {Phrase} */
export function phrasing(table) {
  const own = Object.entries(table).filter(([key]) => key.startsWith(KEY)).sort(([a], [b]) => b.length - a.length);
  const phrases = own.map(([key, sentence]) => ({ pattern: whole(key.slice(KEY.length)), sentence }));

  /** The longest phrase that it is; else what follows a name and a colon; else as it is. @type {Phrase} */
  const phrase = (text) => {
    for (const { pattern, sentence } of phrases) {
      const parts = pattern.exec(text);
      if (parts) return filled(sentence, Object.fromEntries(parts.slice(1).map((part) => phrase(part.replaceAll("'", ""))).entries()));
    }
    const [, name, rest] = /^([^:]+): (.+)$/s.exec(text) ?? [];
    if (rest === undefined) return text;
    const said = phrase(rest);
    return said === rest ? text : `${table[`port.${name}`] ?? phrase(name)}：${said}`;
  };
  return phrase;
}

/** @param {string} pattern */
const whole = (pattern) => new RegExp(`^${pattern.replace(/[\\^$.+?()[\]{}|]/g, "\\$&").replaceAll("*", "(.+?)")}$`, "s");
