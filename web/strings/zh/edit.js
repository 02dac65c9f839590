/** Simplified Chinese: commands and rules of editing. */

export const edit = {
  "action.undo": "撤销",
  "action.redo": "重做",
  "action.delete": "删除所选",
  "action.duplicate": "创建副本",
  "action.selectAll": "全选",
  "action.clearSelection": "取消选择",
  "action.addNode": "添加节点…",
  "action.arrange": "自动排列",
  "action.nudge": "移动所选",
  "connect.twoOutputs": "两端都是输出，连线需要一个输入。",
  "connect.twoInputs": "两端都是输入，连线需要一个输出。",
  "connect.itself": "节点不能连接到自身。",
  "connect.type": "{input} 需要 {expected}，而不是 {got}。",
  "connect.cycle": "这会形成环路：节点将等待自己的结果。",
  "search.title": "添加节点",
  "search.placeholder": "搜索节点",
  "search.none": "没有匹配的节点。",
  "search.noneFor": "没有节点能在此接收 {type}。",
  "search.for": "可连接 {type} 的节点",
  "clipboard.bad": "剪贴板中没有节点。",
};
