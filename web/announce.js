/**
 * Tells what would go unseen: to a person who looks elsewhere, that a long run has ended, in the title, by a notification, by a
 * sound where that is wanted; and that a command could not be carried out as the server did not send what it needs.
 */

import { ApiError } from "./api.js";
import { duration, isOver } from "./core/run.js";
import { effect } from "./core/store.js";
import { t } from "./core/strings.js";

/** @import {Parts} from "./actions/action.js" */

const LONG_MS = 10_000;

/** @param {Parts} parts */
export function announce(parts) {
  announceEnds(parts);
  addEventListener("unhandledrejection", ({ reason }) => {
    if (reason instanceof ApiError) parts.notify(reason.message);
    else if (reason instanceof TypeError && /\bmodule\b/i.test(reason.message)) parts.notify(t("error.network"));
  });
}

/** @param {Parts} parts */
function announceEnds({ runner, workspace, settings }) {
  let told = "";
  effect(() => {
    const { job, state, estimate } = runner.run.value;
    if (estimate && estimate.ms > LONG_MS) void ask();
    if (job === null || !isOver(runner.run.value) || told === job) return;
    told = job;
    const took = performance.now() - runner.began;
    if (document.visibilityState === "visible" || state === "cancelled" || took < LONG_MS) return;
    const title = t(state === "done" ? "notify.done" : "notify.failed");
    const name = workspace.name.peek() || t("app.untitled");
    if (globalThis.Notification?.permission === "granted") new Notification(title, { body: t("notify.body", { name, duration: duration(took) }), tag: "weft", icon: "/web/icon.svg" });
    if (settings.sound.peek()) chime();
    mark(title);
  });
}

/** Only where a run takes long: a short one is waited for. Browsers let a page ask only after a press, such as that of Run. */
async function ask() {
  if (globalThis.Notification?.permission === "default" && navigator.userActivation?.isActive) await Notification.requestPermission();
}

/** Put a mark before the title, in place of an earlier one, until the page is looked at. @param {string} text */
function mark(text) {
  const plain = () => document.title.replace(/^● .*? · /, "");
  document.title = `● ${text} · ${plain()}`;
  addEventListener("focus", () => (document.title = plain()), { once: true });
}

/** Two soft notes. */
function chime() {
  const audio = new AudioContext();
  for (const [index, frequency] of [523.25, 783.99].entries()) {
    const [start, tone, loudness] = [audio.currentTime + index * 0.18, audio.createOscillator(), audio.createGain()];
    tone.frequency.value = frequency;
    loudness.gain.setValueAtTime(0, start);
    loudness.gain.linearRampToValueAtTime(0.12, start + 0.02);
    loudness.gain.exponentialRampToValueAtTime(0.001, start + 0.7);
    tone.connect(loudness).connect(audio.destination);
    tone.start(start);
    tone.stop(start + 0.8);
  }
  setTimeout(() => void audio.close(), 1500);
}
