/** English: the page as a whole: bar, notices, shortcuts. */

export const app = {
  "dock.close": "Close {title}",
  "dock.panels": "Panels",
  "app.name": "Weft",
  "app.serverGone": "The server does not answer. Your work is kept here; trying again…",
  "app.serverBack": "Connected again.",
  "action.shortcuts": "Keyboard shortcuts",
  "bar.name": "Name of the workflow",
  "bar.main": "Main commands",
  "bar.view": "Editing",
  "bar.starting": "Engine is starting. You can edit meanwhile.",
  "bar.offline": "No connection",
  "bar.progress": "Progress of the run",
  "shortcuts.title": "Keyboard shortcuts",
  "shortcuts.pan": "Move the view: drag empty canvas, hold Space, or middle button",
  "shortcuts.zoom": "Zoom: mouse wheel, or Ctrl and wheel on a trackpad",
  "shortcuts.box": "Select several: hold Shift and drag",
  "shortcuts.link": "Link: drag from a port; drop on empty canvas to add a fitting node",
  "error.network": "The server could not be reached.",
  "error.http": "The server answered {status}.",
};
