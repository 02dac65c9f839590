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

/** @typedef {(text: string) => string} Phrase */

/** @type {{language: string, table: Record<string, string>, phrase: Phrase}} */
const current = { language: "en", table: {}, phrase: (text) => text };

/** Speak a language from now on. @param {string} language @param {readonly Table[]} areas */
export function speak(language, areas) {
  Object.assign(current, { language, table: {}, phrase: (/** @type {string} */ text) => text });
  learn(areas);
}

/** Further sentences of the language that is spoken. @param {readonly Table[]} areas @param {(table: Table) => Phrase} [phrasing] */
export function learn(areas, phrasing) {
  Object.assign(current.table, ...areas);
  if (phrasing) current.phrase = phrasing(current.table);
}

/** The language spoken, as Intl takes it. */
export const language = () => current.language;

/**
 * @param {StringKey} key
 * @param {Readonly<Record<string, string | number>>} values
 */
export const t = (key, values = {}) => filled(current.table[key] ?? key, values);

/** A sentence whose key is made from a name that may be a stranger's; `otherwise` where there is none. @param {string} key @param {string} otherwise */
export const named = (key, otherwise) => (Object.hasOwn(current.table, key) ? current.table[key] : otherwise);

/** What the engine says, in the language that is spoken; as it is where that has no phrase for it. @param {string} text */
export const phrase = (text) => current.phrase(text);

/** What is said of a problem in the language that is spoken; "" where the engine's own sentence has to do. @param {import("./types.js").Problem} problem @param {string} port  as it is called here */
export const said = ({ code, type, message, cause, expected, got }, port) =>
  filled(named(`problem.${code}.${type}`, named(`problem.${code}`, "")), { port, message: phrase(message), cause: phrase(cause ?? ""), expected: phrase(expected ?? ""), got: phrase(got ?? "") });

/** What a template is called: the words of its name when it is none of ours. @param {string} name */
export const templateTitle = (name) => named(`template.${name}`, name.charAt(0).toUpperCase() + name.slice(1).replaceAll("-", " "));

/** The `lang` of what is said of a problem: the engine's own sentence is English. @param {string} text */
export const tongueOf = (text) => (current.language === "zh" && !/\p{Script=Han}/u.test(text) ? "en" : null);

/** @param {string} text @param {Readonly<Record<string, string | number>>} values */
export const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole));
