/** Simplified Chinese: the page as a whole: bar, notices, shortcuts. */

export const app = {
  "dock.close": "关闭{title}",
  "dock.panels": "面板",
  "app.name": "Weft",
  "app.serverGone": "服务器没有响应。在重新连接之前，您的工作保留在此页面。",
  "app.serverBack": "已重新连接。",
  "action.shortcuts": "键盘快捷键",
  "bar.name": "工作流名称",
  "bar.main": "主菜单",
  "bar.view": "编辑",
  "bar.starting": "引擎正在启动，您可以先编辑。",
  "bar.offline": "未连接，{seconds} 秒后重试",
  "bar.connecting": "未连接，正在重试…",
  "action.reconnect": "立即连接",
  "bar.progress": "运行进度",
  "error.network": "无法连接到服务器。",
  "error.http": "服务器返回 {status}。",
};
