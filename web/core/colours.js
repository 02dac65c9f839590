/**
 * Colours of port types. The named types keep apart for people with red-, green- and blue-blindness (a test simulates
 * all three); any other type gets one of the same colours by its name, always the same one.
 */

/** @typedef {{dark: string, light: string}} Shade */

/** @type {Readonly<Record<string, Shade>>} */
export const TYPE_COLOURS = {
  Model: { dark: "#a97cff", light: "#64447c" },
  CLIP: { dark: "#fac92e", light: "#a1870d" },
  VAE: { dark: "#a5604d", light: "#d27457" },
  Conditioning: { dark: "#e8620a", light: "#78370b" },
  Latent: { dark: "#62df96", light: "#225a52" },
  Image: { dark: "#2f8dc2", light: "#0992cf" },
  Mask: { dark: "#f4f4f8", light: "#859794" },
};

/** @type {Shade} */
const PLAIN = { dark: "#8f8fa3", light: "#76768a" };
const PLAIN_TYPES = new Set(["int", "float", "str", "bool", "Any", "Path", "list[OutputFile]"]);

/** Whether a port carries a plain value: a number, a text, a file. @param {string} type */
export const isPlain = (type) => PLAIN_TYPES.has(type);

/** @param {string} type @returns {Shade} */
export function colourOf(type) {
  if (Object.hasOwn(TYPE_COLOURS, type)) return TYPE_COLOURS[type];
  if (isPlain(type)) return PLAIN;
  let hash = 0;
  for (const letter of type) hash = (hash * 31 + letter.charCodeAt(0)) % 9973;
  const shades = Object.values(TYPE_COLOURS);
  return shades[hash % shades.length];
}

/** Colours a person may give to nodes and frames, by name. @type {Readonly<Record<string, Shade>>} */
const TINT_COLOURS = {
  red: { dark: "#e0697a", light: "#c2384e" },
  orange: { dark: "#e08a3c", light: "#b5651d" },
  yellow: { dark: "#d6b13a", light: "#96780c" },
  green: { dark: "#4fae7b", light: "#2c7a52" },
  blue: { dark: "#4f95d6", light: "#2a6cb0" },
  purple: { dark: "#9a7ae0", light: "#6a49b8" },
  grey: { dark: "#9a9aa8", light: "#6d6d7b" },
};

/** Names of the colours for nodes and frames. */
export const TINTS = Object.keys(TINT_COLOURS);

/** The colour of that name; null for none, and for a name that is not known. @param {string | undefined} name @returns {Shade | null} */
export const tintOf = (name) => (name !== undefined && Object.hasOwn(TINT_COLOURS, name) ? TINT_COLOURS[name] : null);
