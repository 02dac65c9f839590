/** Simplified Chinese: the canvas and its nodes. */

export const view = {
  "action.fit": "显示全部",
  "action.zoomIn": "放大",
  "action.zoomOut": "缩小",
  "canvas.label": "工作流图",
  "canvas.hint": "双击添加节点，或把用 Weft 生成的图片拖到这里。",
  "canvas.drop": "松开以打开其中的工作流",
  "canvas.dropImage": "松开以使用这张图片",
  "node.group": "{title}，{status}",
  "node.unknown": "未安装此类节点。",
  "node.input": "输入 {name}，{type}",
  "node.output": "输出 {name}，{type}",
  "node.linked": "来自 {title}",
  "node.resize": "调整 {title} 的大小",
};
