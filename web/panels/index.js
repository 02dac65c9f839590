/**
 * The panels of the dock. A panel is a line here and a module that is loaded when it is first opened; its action opens
 * and closes it. `create` gives the element, which is kept: it is hidden, not removed, when another panel is shown.
 */

/** @import {Action, Parts} from "../actions/action.js" */
/** @import {StringKey} from "../core/strings.js" */
/**
 * @typedef {{id: string, title: StringKey, icon: string, side: "left" | "right", keys?: readonly string[], everywhere?: boolean, enter?: boolean,
 *            create: (parts: Parts) => Promise<HTMLElement>}} Panel
 *   `icon`: a name in dom.js; `enter`: its command puts the focus into it; left panels lie beside the canvas, right ones share the place of the result
 */

/** @type {readonly Panel[]} */
export const PANELS = [
  { id: "nodes", title: "library.title", icon: "nodes", side: "left", keys: ["L"], enter: true, create: async (parts) => (await import("./nodes.js")).nodesPanel(parts) },
  { id: "files", title: "action.files", icon: "open", side: "left", keys: ["Mod+O"], everywhere: true, enter: true, create: async (parts) => (await import("./files.js")).filesPanel(parts) },
  { id: "versions", title: "action.versions", icon: "history", side: "left", enter: true, create: async (parts) => (await import("./versions.js")).versionsPanel(parts) },
  { id: "parameters", title: "parameters.title", icon: "sliders", side: "left", enter: true, create: async (parts) => (await import("./parameters.js")).parametersPanel(parts) },
  { id: "steps", title: "history.panel", icon: "steps", side: "left", keys: ["Mod+Alt+Z"], enter: true, create: async (parts) => (await import("./steps.js")).stepsPanel(parts) },
  { id: "outline", title: "outline.title", icon: "outline", side: "left", keys: ["Mod+Shift+O"], enter: true, create: async (parts) => (await import("./outline.js")).outlinePanel(parts) },
  { id: "help", title: "help.title", icon: "help", side: "left", keys: ["F1"], everywhere: true, create: async (parts) => (await import("./help.js")).helpPanel(parts) },
  { id: "gallery", title: "gallery.title", icon: "gallery", side: "right", keys: ["G"], enter: true, create: async (parts) => (await import("./gallery.js")).galleryPanel(parts) },
  { id: "queue", title: "queue.title", icon: "queue", side: "right", keys: ["Q"], enter: true, create: async (parts) => (await import("./queue.js")).queuePanel(parts) },
];

/** @param {Parts} parts @returns {Action[]} */
export const panelActions = ({ dock }) =>
  PANELS.map(({ id, title, keys = [], everywhere, enter }) => ({ id: `panel.${id}`, title, keys, everywhere, enabled: () => true, run: () => (enter ? dock.enter(id) : dock.toggle(id)) }));
