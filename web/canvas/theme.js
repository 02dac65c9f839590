/** The colours of the style sheet, resolved for the painter; read again when the system or the person chooses another theme. */

import { colourOf } from "../core/colours.js";

const NAMES = /** @type {const} */ ([
  "canvas", "dot", "surface", "head", "field", "line", "text", "muted", "accent", "danger",
]);

/** @typedef {Record<(typeof NAMES)[number], string> & {port: (type: string) => string}} Theme */

/** @param {HTMLElement} host @returns {Theme} */
export function readTheme(host) {
  const probe = document.createElement("i");
  host.append(probe);
  probe.style.color = "light-dark(#ffffff, #000000)";
  const dark = getComputedStyle(probe).color === "rgb(0, 0, 0)";
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
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) matchMedia(query).addEventListener("change", changed);
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ["data-theme", "data-contrast"] });
}
