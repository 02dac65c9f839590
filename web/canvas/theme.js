/** The colours of the style sheet, resolved for the painter; read again when the system or the person chooses another theme. */

import { colourOf, TINTS, tintOf } from "../core/colours.js";

/** Colours by the name the painter has for them. */
const NAMES = /** @type {const} */ ({
  canvas: "canvas", dot: "dot", surface: "surface", head: "head", field: "field", line: "line", text: "text", muted: "muted",
  accent: "accent", accentSoft: "accent-soft", danger: "danger", dangerSoft: "danger-soft", next: "next",
});

/**
 * @typedef {Record<keyof typeof NAMES, string> & {port: (type: string) => string, tint: (colour: string | undefined) => string | null,
 *           tinted: (colour: string | undefined) => string | null}} Theme
 *   `tint`: a colour a person gave a frame; `tinted`: the same, soft, as the ground of a title
 */

/** @param {HTMLElement} host @returns {Theme} */
export function readTheme(host) {
  const probe = document.createElement("i");
  host.append(probe);
  probe.style.setProperty("forced-color-adjust", "none");
  probe.style.color = "light-dark(#ffffff, #000000)";
  const dark = getComputedStyle(probe).color === "rgb(0, 0, 0)";
  const read = (/** @type {string} */ colour) => {
    probe.style.color = colour;
    return getComputedStyle(probe).color;
  };
  const entries = Object.entries(NAMES).map(([name, variable]) => [name, read(`var(--${variable})`)]);
  /** @type {Map<string, string>} */
  const soft = new Map();
  for (const name of TINTS) soft.set(name, read(`color-mix(in srgb, ${tintOf(name)?.[dark ? "dark" : "light"]} 30%, var(--head))`));
  probe.remove();
  return /** @type {Theme} */ ({
    ...Object.fromEntries(entries),
    port: (/** @type {string} */ type) => colourOf(type)[dark ? "dark" : "light"],
    tint: (/** @type {string | undefined} */ colour) => tintOf(colour)?.[dark ? "dark" : "light"] ?? null,
    tinted: (/** @type {string | undefined} */ colour) => soft.get(colour ?? "") ?? null,
  });
}

/** @param {() => void} changed */
export function watchTheme(changed) {
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) matchMedia(query).addEventListener("change", changed);
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ["data-theme", "data-contrast"] });
}
