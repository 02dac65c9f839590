/** The colours of the style sheet, resolved for the painter; read again when the system switches between light and dark. */

import { colourOf } from "../core/colours.js";

const NAMES = /** @type {const} */ ([
  "canvas", "dot", "surface", "head", "field", "line", "text", "muted", "accent", "danger",
]);

/** @typedef {Record<(typeof NAMES)[number], string> & {port: (type: string) => string}} Theme */

/** @param {HTMLElement} host @returns {Theme} */
export function readTheme(host) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const probe = document.createElement("i");
  host.append(probe);
  const entries = NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return /** @type {Theme} */ ({
    ...Object.fromEntries(entries),
    port: (/** @type {string} */ type) => colourOf(type)[dark ? "dark" : "light"],
  });
}

/** @param {() => void} changed */
export function watchTheme(changed) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}
