/** How the picture of a run formed: a slider over the previews of it, the picture itself at its end. */

import { button, h } from "../dom.js";
import { t } from "../core/strings.js";
import { learnAll } from "../language.js";

/** @import {Preview} from "../runner.js" */

const FRAME_MS = 120;

/**
 * @param {HTMLElement} place
 * @param {readonly Preview[]} previews  of the run; those of the node that previewed last are shown
 * @param {(blob: Blob | null) => unknown} show  a preview, or the picture itself
 */
export async function showFilm(place, previews, show) {
  await learnAll();
  const frames = previews.filter(({ node }) => node === previews.at(-1)?.node);
  const last = frames.length;
  const slider = h("input", { type: "range", min: 0, max: last, step: 1, value: last, "aria-label": t("result.film"), title: t("result.film") });
  const go = () => {
    const at = slider.valueAsNumber;
    slider.setAttribute("aria-valuetext", at === last ? t("result.picture") : t("viewer.place", { at: at + 1, count: last }));
    show(at === last ? null : frames[at].blob);
  };
  let playing = 0;
  const stop = () => clearInterval(playing);
  const play = () => {
    stop();
    if (slider.valueAsNumber === last) slider.value = "0";
    go();
    playing = window.setInterval(() => {
      slider.stepUp();
      go();
      if (slider.valueAsNumber === last || !slider.isConnected) stop();
    }, FRAME_MS);
  };
  slider.addEventListener("input", () => {
    stop();
    go();
  });
  place.replaceChildren(button({ label: t("result.play"), icon: "film", class: "button" }, play), slider);
}
