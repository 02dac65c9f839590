/**
 * Shapes shared by the whole page. Types only: this module holds no code.
 *
 * @typedef {{node: string, output: string}} Link  constant stand-in: "the value of that output"
 * @typedef {{type: string, inputs: Readonly<Record<string, unknown>>, title?: string, [field: string]: unknown}} NodeData
 * @typedef {{x: number, y: number, w?: number, h?: number, [field: string]: unknown}} Place  world units, top left
 * @typedef {{x: number, y: number}} Point
 * @typedef {{x: number, y: number, w: number, h: number}} Box
 *
 * @typedef {{kind: string, min?: number, max?: number, step?: number, multiline?: boolean,
 *            options?: readonly (string | number)[], folder?: string, media?: string}} Widget
 * @typedef {{name: string, type: string, widget: Widget | null, default?: unknown,
 *            required: boolean, optional?: boolean}} InputSpec
 * @typedef {{name: string, type: string}} OutputSpec
 * @typedef {{id: string, title: string, category: string, doc: string, sink: boolean,
 *            inputs: readonly InputSpec[], outputs: readonly OutputSpec[], missing?: boolean}} NodeSpec
 *
 * @typedef {{node: string, port: string, side: "input" | "output", type: string}} PortRef
 * @typedef {{code: string, node: string | null, port: string | null, message: string,
 *            expected?: string | null, got?: string | null, hint?: string | null}} Problem
 * @typedef {{url: string, media_type: string, width?: number, height?: number, name?: string}} OutputFile
 */

export {};
