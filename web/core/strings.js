/**
 * Every sentence the page says comes through here. The sentences are tables of web/strings/LANGUAGE/AREA.js, the same
 * keys in every language; `{name}` marks what is filled in. Those of LANGUAGE/later are none of the first view.
 */

/**
 * @typedef {keyof typeof import("../strings/en/app.js").app | keyof typeof import("../strings/en/file.js").file
 *   | keyof typeof import("../strings/en/edit.js").edit | keyof typeof import("../strings/en/view.js").view
 *   | keyof typeof import("../strings/en/run.js").run
 *   | keyof typeof import("../strings/en/comfort.js").comfort | keyof typeof import("../strings/en/later/dialogs.js").dialogs
 *   | keyof typeof import("../strings/en/later/files.js").files | keyof typeof import("../strings/en/later/panels.js").panels
 *   | keyof typeof import("../strings/en/later/see.js").see} StringKey
 * @typedef {Readonly<Record<string, string>>} Table
 */

/** @type {{language: string, table: Record<string, string>}} */
const current = { language: "en", table: {} };

/** Speak a language from now on. @param {string} language @param {readonly Table[]} areas */
export function speak(language, areas) {
  current.language = language;
  current.table = {};
  learn(areas);
}

/** Further sentences of the language that is spoken. @param {readonly Table[]} areas */
export const learn = (areas) => void Object.assign(current.table, ...areas);

/** The language spoken, as Intl takes it. */
export const language = () => current.language;

/**
 * @param {StringKey} key
 * @param {Readonly<Record<string, string | number>>} values
 */
export const t = (key, values = {}) => filled(current.table[key] ?? key, values);

/** A sentence whose key is made from a name that may be a stranger's; `otherwise` where there is none. @param {string} key @param {string} otherwise */
export const named = (key, otherwise) => (Object.hasOwn(current.table, key) ? current.table[key] : otherwise);

/** A phrase of the engine in the language that is spoken, whose table has it with "*" for its names and numbers; as it is where the table has none. @param {string} text */
export function phrase(text) {
  /** @type {string[]} */
  const parts = [];
  const pattern = text.replace(/'[^']*'|(?<=^one of ).+|-?\b\d[^\s,)]*/g, (part) => (parts.push(part.replaceAll("'", "")), "*"));
  const own = named(`phrase.${pattern}`, "");
  return own === "" ? text : filled(own, Object.fromEntries(parts.entries()));
}

/** What is said of a problem in the language that is spoken; "" where the engine's own sentence has to do. @param {import("./types.js").Problem} problem @param {string} port  as it is called here */
export const said = ({ code, type, message, cause, expected, got }, port) =>
  filled(named(`problem.${code}.${type}`, named(`problem.${code}`, "")), { port, message, cause: phrase(cause ?? ""), expected: phrase(expected ?? ""), got: got ?? "" });

/** What a template is called: the words of its name when it is none of ours. @param {string} name */
export const templateTitle = (name) => named(`template.${name}`, name.charAt(0).toUpperCase() + name.slice(1).replaceAll("-", " "));

/** @param {string} text @param {Readonly<Record<string, string | number>>} values */
export const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole));
