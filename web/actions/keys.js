/** Keyboard shortcuts: which action a key press means, and how a shortcut is written. */

import { t } from "../core/strings.js";
import { isEditing } from "../dom.js";

/** @import {Action} from "./action.js" */

const MAC = navigator.platform.startsWith("Mac");

/** A key press as actions name it: "Mod+Shift+Z". @param {KeyboardEvent} event */
function keyName(event) {
  const mod = MAC ? event.metaKey : event.ctrlKey;
  const letter = event.key.length === 1 && /[a-z]/i.test(event.key);
  const key = letter ? event.key.toUpperCase() : event.key;
  const shift = event.shiftKey && (letter || event.key.length > 1);
  return [mod && "Mod", event.altKey && "Alt", shift && "Shift", key].filter(Boolean).join("+");
}

/** A shortcut as a person reads it. @param {string} keys */
export const keyLabel = (keys) => keys.replace("Mod", MAC ? "⌘" : "Ctrl").replace("Shift", MAC ? "⇧" : "Shift").replace(/^Arrow/, "");

/** What an action is called, with its shortcut. @param {Action} action */
export const describe = (action) => (action.keys[0] ? `${t(action.title)}  (${keyLabel(action.keys[0])})` : t(action.title));

/**
 * Give the keys to the actions. Keys typed into a text field, or while composing a character, stay there.
 * @param {ReadonlyMap<string, Action>} actions
 * @param {(event: KeyboardEvent) => boolean} reserved  true: somebody else's key
 */
export function listenToKeys(actions, reserved) {
  const byKey = new Map([...actions.values()].flatMap((action) => action.keys.map((keys) => [keys, action])));
  addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const action = byKey.get(keyName(event));
    if (!action || (isEditing(event.target) && !action.everywhere) || reserved(event)) return;
    event.preventDefault();
    if (action.enabled()) action.run();
  });
}
