/** Keyboard shortcuts: which action a key press means, how a shortcut is written, and those a person chose. */

import { effect } from "../core/store.js";
import { t } from "../core/strings.js";
import { isEditing } from "../dom.js";

/** @import {Settings} from "../settings.js" */
/** @import {Action} from "./action.js" */

const MAC = navigator.platform.startsWith("Mac");
const MODIFIERS = ["Control", "Shift", "Alt", "Meta", "AltGraph", "CapsLock"];

/** A key press as actions name it: "Mod+Shift+Z"; "" for a modifier alone. @param {KeyboardEvent} event */
export function keyName(event) {
  if (MODIFIERS.includes(event.key)) return "";
  const mod = MAC ? event.metaKey : event.ctrlKey;
  // On a Mac, Option makes other characters of letters and digits.
  const plain = (MAC && event.altKey && /^(?:Key|Digit)(.)$/.exec(event.code)?.[1]) || event.key;
  const letter = plain.length === 1 && /[a-z]/i.test(plain);
  const key = letter ? plain.toUpperCase() : plain;
  const shift = event.shiftKey && (letter || event.key.length > 1);
  return [mod && "Mod", event.altKey && "Alt", shift && "Shift", key].filter(Boolean).join("+");
}

/** A shortcut as a person reads it. @param {string} keys */
export const keyLabel = (keys) => keys.replace("Mod", MAC ? "⌘" : "Ctrl").replace("Shift", MAC ? "⇧" : "Shift").replace(/Arrow/, "");

/** What an action is called, with its shortcut. @param {Action} action */
export const describe = (action) => (action.keys[0] ? `${t(action.title)}  (${keyLabel(action.keys[0])})` : t(action.title));

/** The action with the keys a person chose for it, if they did. @param {Action} action @param {Settings} settings @returns {Action} */
export const withChosenKeys = (action, settings) =>
  Object.defineProperty({ ...action }, "keys", { enumerable: true, get: () => settings.shortcuts.value[action.id] ?? action.keys });

/** Keys that more than one action claims. @param {Iterable<Action>} actions @returns {ReadonlyMap<string, readonly Action[]>} */
export function clashes(actions) {
  /** @type {Map<string, Action[]>} */
  const claims = new Map();
  for (const action of actions) for (const keys of action.keys) claims.set(keys, [...(claims.get(keys) ?? []), action]);
  return new Map([...claims].filter(([, claiming]) => claiming.length > 1));
}

/**
 * Give the keys to the actions. Keys typed into a text field, or while composing a character, stay there.
 * @param {ReadonlyMap<string, Action>} actions
 * @param {(event: KeyboardEvent) => boolean} reserved  true: somebody else's key
 */
export function listenToKeys(actions, reserved) {
  /** @type {Map<string, Action>} */
  let byKey = new Map();
  effect(() => {
    byKey = new Map([...actions.values()].toReversed().flatMap((action) => action.keys.map((keys) => [keys, action])));
  });
  addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const action = byKey.get(keyName(event));
    if (!action || (isEditing(event.target) && !action.everywhere) || reserved(event)) return;
    event.preventDefault();
    if (action.enabled()) action.run();
  });
}
