/** The sentences of the page in the language a person reads: what the first view says, and the rest when it is wanted. */

import { language, learn, speak } from "./core/strings.js";
import { h } from "./dom.js";
import { languageOf } from "./settings.js";

/** @import {Table} from "./core/strings.js" */
/** @import {Settings} from "./settings.js" */

/** Speak the chosen language. @param {Settings} settings */
export async function speakChosen(settings) {
  const chosen = languageOf(settings);
  speak(chosen, tablesIn(await import(`./strings/${chosen}.js`)));
  document.documentElement.lang = chosen === "zh" ? "zh-Hans" : chosen;
}

/** Have the rest too: the sentences, such as titles of templates and help of nodes, and how what says them looks. */
export async function learnAll() {
  const [rest, { phrasing }] = await Promise.all([import(`./strings/${language()}/later.js`), import("./core/phrases.js"), (dressed ??= dress())]);
  learn(tablesIn(rest), phrasing);
}

/** @type {Promise<unknown> | undefined} */
let dressed;

const dress = () =>
  new Promise((resolve) => {
    const sheet = h("link", { rel: "stylesheet", href: new URL("style/later.css", import.meta.url).href });
    sheet.addEventListener("load", resolve);
    sheet.addEventListener("error", () => {
      // What is plain can still be read; the next panel asks again.
      sheet.remove();
      dressed = undefined;
      resolve(null);
    });
    document.head.append(sheet);
  });

/** @param {Readonly<Record<string, Table>>} module @returns {readonly Table[]} */
const tablesIn = (module) => Object.values(module);
