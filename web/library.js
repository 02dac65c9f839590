/** Components kept for other workflows: documents in the folder "components" of the saved workflows. */

import { ApiError } from "./api.js";
import { freeName } from "./core/components.js";
import { t } from "./core/strings.js";
import * as documents from "./documents.js";

const FOLDER = "components/";

/** Names of the components kept. @returns {Promise<string[]>} */
export const kept = async () => (await documents.list()).workflows.flatMap(({ name }) => (name.startsWith(FOLDER) ? [name.slice(FOLDER.length)] : []));

/** A workflow of one instance of it. @param {string} name */
export const take = async (name) => (await documents.read(FOLDER + name)).workflow;

/** @param {string} name */
export const forget = (name) => documents.remove(FOLDER + name);

/** Keep a component under a name that is free. @param {string} name @param {unknown} workflow  one instance of it @param {(text: string) => void} notify */
export async function keep(name, workflow, notify) {
  try {
    const taken = new Set(await kept());
    const free = freeName(name, (each) => taken.has(each));
    await documents.save(FOLDER + free, JSON.stringify(workflow), null);
    notify(t("library.keptOne", { name: free }));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    notify(error.message);
  }
}
