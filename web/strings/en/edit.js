/** English: commands and rules of editing. */

export const edit = {
  "action.undo": "Undo",
  "action.redo": "Redo",
  "action.delete": "Delete selected",
  "action.duplicate": "Duplicate",
  "action.selectAll": "Select all",
  "action.clearSelection": "Clear selection",
  "action.addNode": "Add node…",
  "action.arrange": "Arrange",
  "action.nudge": "Move selected",
  "connect.twoOutputs": "Both are outputs; a link needs an input.",
  "connect.twoInputs": "Both are inputs; a link needs an output.",
  "connect.itself": "A node cannot feed itself.",
  "connect.type": "{input} takes {expected}, not {got}.",
  "connect.cycle": "This would close a circle: the node would wait for itself.",
  "search.title": "Add a node",
  "search.placeholder": "Search nodes",
  "search.none": "No node matches.",
  "search.noneFor": "No node takes {type} here.",
  "search.for": "Nodes that connect to {type}",
  "clipboard.bad": "The clipboard holds no nodes.",
};
