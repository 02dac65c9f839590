/**
 * Colours of port types. The named types keep apart for people with red-, green- and blue-blindness (a test simulates
 * all three); any other type gets one of the same colours by its name, always the same one.
 */

/** @typedef {{dark: string, light: string}} Shade */

/** @type {Readonly<Record<string, Shade>>} */
export const TYPE_COLOURS = {
  Model: { dark: "#c79bf2", light: "#8a3fc7" },
  CLIP: { dark: "#f2e36b", light: "#a38a00" },
  VAE: { dark: "#e2603f", light: "#b5371a" },
  Conditioning: { dark: "#f0a63a", light: "#c47a00" },
  Latent: { dark: "#16a37c", light: "#00795a" },
  Image: { dark: "#63c0f2", light: "#2492d1" },
  Mask: { dark: "#dcdce4", light: "#5d5d6b" },
};

/** @type {Shade} */
const PLAIN = { dark: "#8f8fa3", light: "#76768a" };
const PLAIN_TYPES = new Set(["int", "float", "str", "bool", "Any", "files", "Path"]);

/** @param {string} type @returns {Shade} */
export function colourOf(type) {
  if (Object.hasOwn(TYPE_COLOURS, type)) return TYPE_COLOURS[type];
  if (PLAIN_TYPES.has(type)) return PLAIN;
  let hash = 0;
  for (const letter of type) hash = (hash * 31 + letter.charCodeAt(0)) % 9973;
  const shades = Object.values(TYPE_COLOURS);
  return shades[hash % shades.length];
}
