/** litegraph.js with the workload's widgets, behind the same calls as Weft's page. */

const { LGraph, LGraphCanvas, LGraphNode, LiteGraph } = window;
LiteGraph.MAX_NUMBER_OF_NODES = 1e5;
document.body.style.margin = "0";
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [innerWidth, innerHeight];
document.body.append(canvas);
const graph = new LGraph();
const view = new LGraphCanvas(canvas, graph);
view.show_info = false;
const KINDS = { seed: "number", number: "number", slider: "slider", combo: "combo", toggle: "toggle", text: "text", textarea: "text" };

class BenchNode extends LGraphNode {}
LiteGraph.registerNodeType("bench/node", BenchNode);
const nodes = new Map();

window.__bench = {
  load({ nodes: all, links }) {
    graph.clear();
    nodes.clear();
    for (const { id, title, x, y, w, inputs, outputs, widgets } of all) {
      const node = LiteGraph.createNode("bench/node", title);
      for (const input of inputs) node.addInput(input.name, input.type);
      for (const output of outputs) node.addOutput(output.name, output.type);
      for (const { name, kind, value, options, min, max } of widgets) {
        node.addWidget(KINDS[kind], name, value, () => {}, options ? { values: options } : { min, max });
      }
      node.pos = [x, y + LiteGraph.NODE_TITLE_HEIGHT];
      node.size = [w, node.computeSize()[1]];
      graph.add(node);
      nodes.set(id, node);
    }
    for (const { from, fromSlot, to, toSlot } of links) nodes.get(from).connect(fromSlot, nodes.get(to), toSlot);
    view.draw(true, true);
  },
  setView({ scale, x, y }) {
    view.ds.scale = scale;
    view.ds.offset = [x / scale, y / scale];
    view.setDirty(true, true);
  },
  getView: () => ({ scale: view.ds.scale, x: view.ds.offset[0] * view.ds.scale, y: view.ds.offset[1] * view.ds.scale }),
  nodePos: (id) => ({ x: nodes.get(id).pos[0], y: nodes.get(id).pos[1] }),
  nodeGrab(id) {
    const [x, y] = nodes.get(id).pos;
    const { scale, offset } = view.ds;
    return { x: (x + 60 + offset[0]) * scale, y: (y - 15 + offset[1]) * scale };
  },
  select: (ids) => view.selectNodes(ids.map((id) => nodes.get(id))),
};
