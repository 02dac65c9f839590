/** What an Action is, and the parts of the page that actions and panels work with. */

/** @import {StringKey} from "../core/strings.js" */
/**
 * @typedef {{id: string, title: StringKey, keys: readonly string[], everywhere?: boolean, hidden?: boolean,
 *            enabled: () => boolean, run: () => void}} Action
 *   `keys`: "Mod+Shift+Z", Mod being Ctrl, on a Mac Command; `everywhere`: they work in a text field too;
 *   `hidden`: not listed, as its like is
 * @typedef {{editor: import("../core/editor.js").Editor, runner: import("../runner.js").Runner, forecast: import("../forecast.js").Forecast,
 *            status: ReturnType<typeof import("../status.js").statusOf>,
 *            workspace: import("../workspace.js").Workspace, view: import("../canvas/view.js").View,
 *            engine: import("../engine.js").Engine, actions: ReadonlyMap<string, Action>,
 *            dock: import("../panels/dock.js").Dock, settings: import("../settings.js").Settings,
 *            notify: (text: string) => void, addNode: () => void, search: import("../panels/search.js").NodeSearch,
 *            pointer: () => import("../core/types.js").Point,
 *            fields: import("../widgets/field.js").Fields,
 *            extensions: {known: () => Promise<string[]>}, addFor: (from: import("../core/types.js").PortRef) => void,
 *            show: (id: string, others?: readonly string[]) => void}} Parts
 *   `show` selects a node, beside others, and brings it into view; `pointer`: the point of the view where something is wanted
 * @typedef {(parts: Parts) => Action[]} ActionGroup
 */

export const always = () => true;
