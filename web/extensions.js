/**
 * What packs bring to the page: controls, panels and commands, from modules a person allowed. Whatever one of them throws
 * is told and goes no further.
 */

import { get } from "./api.js";

/** @import {Action, Parts} from "./actions/action.js" */
/** @import {Panel} from "./panels/index.js" */
/** @import {Control, Field} from "./widgets/index.js" */
/** @typedef {(field: Field) => Control} MakeControl */

/** @type {{controls: Map<string, MakeControl>, add: {panel: (panel: Panel) => void, command: (action: Action) => void}, fail: (what: string, error: unknown) => void}} */
export const registry = { controls: new Map(), add: { panel: () => {}, command: () => {} }, fail: () => {} };

/** A control for an input, "acme.Tint.colour", in place of the usual one. @param {string} of @param {MakeControl} make */
export const control = (of, make) => void registry.controls.set(of, make);

/** A panel of the dock. @param {Omit<Panel, "title" | "create"> & {title: string, create: (parts: Parts) => HTMLElement | Promise<HTMLElement>}} panel */
export const panel = ({ title, create, ...rest }) =>
  registry.add.panel({ ...rest, title: literal(title), create: async (parts) => guarded(rest.id, async () => create(parts)) });

/** A command of the palette. @param {{id: string, title: string, run: () => void}} command */
export const command = ({ id, title, run }) =>
  registry.add.command({ id, title: literal(title), keys: [], enabled: () => true, run: () => void guarded(id, async () => run()) });

/** A sentence that is in no table is said as it is. @param {string} text */
const literal = (text) => /** @type {import("./core/strings.js").StringKey} */ (text);

/** The control a pack brings for an input; null where it brings none, or it fails. @param {string} of @param {Field} field @returns {Control | null} */
export function controlFrom(of, field) {
  const make = registry.controls.get(of);
  if (!make) return null;
  try {
    const { element, show } = make(field);
    const guardedShow = (/** @type {unknown} */ value) => {
      try {
        show(value);
      } catch (error) {
        registry.fail(of, error);
      }
    };
    element.dataset.input = field.input.name;
    element.dataset.brought = "";
    return { element, show: guardedShow };
  } catch (error) {
    registry.controls.delete(of);
    registry.fail(of, error);
    return null;
  }
}

/** Names of the packs that have modules for the page. @returns {Promise<string[]>} */
export const known = async () => (await get("/extensions")).packs;

/** @param {string} what @param {() => Promise<HTMLElement | void>} body */
async function guarded(what, body) {
  try {
    const made = await body();
    if (made instanceof HTMLElement) {
      made.classList.add("brought");
      return made;
    }
  } catch (error) {
    registry.fail(what, error);
  }
  return document.createElement("div");
}
