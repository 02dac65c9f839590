/** The sentences of the page in the language a person reads: what the first view says, and the rest when it is wanted. */

import { language, learn, speak } from "./core/strings.js";
import { languageOf } from "./settings.js";

/** @import {Table} from "./core/strings.js" */
/** @import {Settings} from "./settings.js" */

/** Speak the chosen language. @param {Settings} settings */
export async function speakChosen(settings) {
  const chosen = languageOf(settings);
  speak(chosen, tablesIn(await import(`./strings/${chosen}.js`)));
  document.documentElement.lang = chosen === "zh" ? "zh-Hans" : chosen;
}

/** Have the rest of the sentences too: titles of templates, help of nodes. */
export const learnAll = async () => learn(tablesIn(await import(`./strings/${language()}/later.js`)));

/** @param {Readonly<Record<string, Table>>} module @returns {readonly Table[]} */
const tablesIn = (module) => Object.values(module);
