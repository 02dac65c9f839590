/** Simplified Chinese: the page as a whole: bar, notices, shortcuts. */

export const app = {
  "dock.close": "关闭{title}",
  "dock.panels": "面板",
  "app.name": "Weft",
  "app.serverGone": "服务器没有响应。您的工作保留在此页面，正在重试…",
  "app.serverBack": "已重新连接。",
  "action.shortcuts": "键盘快捷键",
  "bar.name": "工作流名称",
  "bar.main": "主菜单",
  "bar.view": "编辑",
  "bar.starting": "引擎正在启动，您可以先编辑。",
  "bar.offline": "未连接",
  "bar.progress": "运行进度",
  "shortcuts.title": "键盘快捷键",
  "shortcuts.pan": "移动视图：拖动空白处，按住空格键拖动，或使用鼠标中键",
  "shortcuts.zoom": "缩放：鼠标滚轮；触控板上按住 Ctrl 并滚动",
  "shortcuts.box": "框选：按住 Shift 并拖动",
  "shortcuts.link": "连线：从端口拖出；在空白处松开可添加合适的节点",
  "error.network": "无法连接到服务器。",
  "error.http": "服务器返回 {status}。",
};
