/** English: the page as a whole: bar, notices, shortcuts. */

export const app = {
  "dock.close": "Close {title}",
  "dock.panels": "Panels",
  "app.name": "Weft",
  "app.serverGone": "The server does not answer. Your work is kept here until it does.",
  "app.serverBack": "Connected again.",
  "action.shortcuts": "Keyboard shortcuts",
  "bar.name": "Name of the workflow",
  "bar.main": "Main commands",
  "bar.view": "Editing",
  "bar.starting": "Engine is starting. You can edit meanwhile.",
  "bar.offline": "No connection, next try in {seconds} s",
  "bar.connecting": "No connection, trying…",
  "action.reconnect": "Connect now",
  "bar.progress": "Progress of the run",
  "error.network": "The server could not be reached.",
  "error.http": "The server answered {status}.",
};
