/** What the modules of packs work with: `import { control, h } from "weft"`. Nothing else of the page is promised to stay. */

export { effect, signal } from "./core/store.js";
export { button, h } from "./dom.js";
export { command, control, panel } from "./extensions.js";
