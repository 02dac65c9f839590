/**
 * Shapes shared by the whole page. Types only: this module holds no code.
 *
 * @typedef {{node: string, output: string}} Link  constant stand-in: "the value of that output"
 * @typedef {{type: string, inputs: Readonly<Record<string, unknown>>, title?: string, mode?: "mute" | "bypass" | "active",
 *            [field: string]: unknown}} NodeData
 * @typedef {{x: number, y: number, w?: number, h?: number, frame?: string, collapsed?: boolean, pinned?: boolean,
 *            colour?: string, [field: string]: unknown}} Place  world units, top left; `frame` is the frame it belongs to
 * @typedef {{title: string, x: number, y: number, w: number, h: number, frame?: string, colour?: string,
 *            [field: string]: unknown}} Frame  a titled box that carries the nodes and frames that name it
 * @typedef {{name: string, node: string, input: string, [field: string]: unknown}} InputPort  of a component: where it leads
 * @typedef {{name: string, node: string, output: string, [field: string]: unknown}} OutputPort
 * @typedef {{inputs: readonly InputPort[], outputs: readonly OutputPort[], [field: string]: unknown}} ComponentPorts
 * @typedef {{name: string, node: string, input: string, title?: string, [field: string]: unknown}} InterfacePort
 * @typedef {{x: number, y: number}} Point
 * @typedef {{x: number, y: number, w: number, h: number}} Box
 *
 * @typedef {{kind: string, min?: number, max?: number, step?: number, multiline?: boolean,
 *            options?: readonly (string | number)[], folder?: string, media?: string,
 *            gives?: readonly string[]}} Widget
 * @typedef {{name: string, type: string, widget: Widget | null, default?: unknown,
 *            required: boolean, optional?: boolean, whole?: boolean, variable?: string}} InputSpec
 * @typedef {{name: string, type: string, variable?: string}} OutputSpec
 * @typedef {{id: string, title: string, category: string, doc: string, sink: boolean,
 *            inputs: readonly InputSpec[], outputs: readonly OutputSpec[], missing?: boolean,
 *            component?: string}} NodeSpec  `component`: the name of the one it is an instance of
 *
 * @typedef {{node: string, port: string, side: "input" | "output", type: string}} PortRef
 * @typedef {{code: string, node: string | null, port: string | null, message: string,
 *            expected?: string | null, got?: string | null, hint?: string | null, type?: string, cause?: string, cells?: readonly string[]}} Problem  `type` is that of the exception, `cause` what the worker was lost of,
 *   `cells` the values of those that it cost a sweep
 * @typedef {{url: string, media_type: string, width?: number, height?: number, name?: string}} OutputFile
 */

export {};
