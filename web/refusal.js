/** What the server refuses, in the language that is spoken; "" where its own sentence has to do. */

import { byteSize, problem, sentence } from "./core/run.js";
import { filled, named, phrase } from "./core/strings.js";
import { learnAll } from "./language.js";

/** @import {Problem} from "./core/types.js" */
/** @typedef {{code: string, rule?: string, limit?: number, problems?: Partial<Problem>[], [fact: string]: unknown}} Refusal  the server's problem details */

/** @param {Refusal} refusal */
export async function refusalSaid({ rule = "", limit = 0, problems = [], ...facts }) {
  await learnAll();
  const first = problems.length > 0 ? sentence(problem(problems[0], null), "") : "";
  return filled(named(`refused.${facts.code}`, ""), { .../** @type {Record<string, string>} */ (facts), rule: phrase(rule), limit: byteSize(limit), count: problems.length, first });
}
