/** English: the canvas and its nodes. */

export const view = {
  "action.fit": "Show everything",
  "action.zoomIn": "Zoom in",
  "action.zoomOut": "Zoom out",
  "canvas.label": "Workflow graph",
  "canvas.hint": "Double-click to add a node, or drop a picture made with Weft here.",
  "canvas.drop": "Drop to open its workflow",
  "canvas.dropImage": "Drop to use this picture",
  "node.group": "{title}, {status}",
  "node.unknown": "This kind of node is not installed.",
  "node.input": "Input {name}, {type}",
  "node.output": "Output {name}, {type}",
  "node.linked": "from {title}",
  "node.resize": "Resize {title}",
};
