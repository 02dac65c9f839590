/** React Flow (only what is visible is mounted) with the workload's widgets as HTML controls, behind the same calls as Weft's page. */

const { React, ReactDOM, ReactFlow: Flow } = window;
const h = React.createElement;

const CONTROLS = {
  combo: ({ value, options }) => h("select", { defaultValue: value }, options.map((each) => h("option", { key: each }, each))),
  toggle: ({ value }) => h("input", { type: "checkbox", defaultChecked: value }),
  textarea: ({ value }) => h("textarea", { defaultValue: value, rows: 4 }),
  slider: ({ value, min, max }) => h("input", { type: "range", defaultValue: value, min, max }),
  text: ({ value }) => h("input", { type: "text", defaultValue: value }),
  number: ({ value }) => h("input", { type: "number", defaultValue: value }),
  seed: ({ value }) => h("input", { type: "number", defaultValue: value }),
};

const BenchNode = React.memo(({ data }) =>
  h(
    "div",
    { style: { width: data.w, background: "#fff", border: "1px solid #888", borderRadius: 8, fontSize: 12 } },
    h("header", { style: { padding: 8, fontWeight: 600 } }, data.title),
    data.inputs.map((port, index) => h(Flow.Handle, { key: port.name, id: `i${index}`, type: "target", position: "left", style: { top: 48 + 24 * index } })),
    data.outputs.map((port, index) => h(Flow.Handle, { key: port.name, id: `o${index}`, type: "source", position: "right", style: { top: 48 + 24 * index } })),
    h("div", { style: { height: 56 } }),
    data.widgets.map((widget) =>
      h("label", { key: widget.name, className: "nodrag", style: { display: "flex", height: widget.kind === "textarea" ? 100 : 32, padding: "0 8px" } }, widget.name, CONTROLS[widget.kind](widget)),
    ),
  ),
);

document.body.style.margin = "0";
const host = document.createElement("div");
host.style.cssText = "width:100vw;height:100vh";
document.body.append(host);
const state = { nodes: [], edges: [] };
let flow = null;
const NODE_TYPES = { bench: BenchNode };

function App({ nodes, edges }) {
  const [shown, , changed] = Flow.useNodesState(nodes);
  return h(Flow.ReactFlow, {
    nodes: shown, edges, nodeTypes: NODE_TYPES, onNodesChange: changed, onlyRenderVisibleElements: true, minZoom: 0.01,
    onInit: (instance) => { flow = instance; },
  });
}

const root = ReactDOM.createRoot(host);
let round = 0;
window.__bench = {
  load(graph) {
    state.nodes = graph.nodes.map(({ id, x, y, ...data }) => ({ id, type: "bench", position: { x, y }, data }));
    state.edges = graph.links.map(({ id, from, fromSlot, to, toSlot }) => ({ id: String(id), source: from, sourceHandle: `o${fromSlot}`, target: to, targetHandle: `i${toSlot}` }));
    round += 1;
    ReactDOM.flushSync(() => root.render(h(App, { key: round, ...state })));
  },
  setView: ({ scale, x, y }) => flow.setViewport({ zoom: scale, x, y }),
  getView() {
    const { x, y, zoom } = flow.getViewport();
    return { x, y, scale: zoom };
  },
  nodePos: (id) => flow.getNode(id).position,
  nodeGrab(id) {
    const { x, y } = flow.getNode(id).position;
    const view = flow.getViewport();
    return { x: (x + 60) * view.zoom + view.x, y: (y + 16) * view.zoom + view.y };
  },
  select(ids) {
    const chosen = new Set(ids);
    flow.setNodes((nodes) => nodes.map((node) => (node.selected === chosen.has(node.id) ? node : { ...node, selected: chosen.has(node.id) })));
  },
};
