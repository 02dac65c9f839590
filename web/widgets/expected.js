/** What a number field takes, told at the field when something else was typed: until more is typed, or who left the field goes on. */

import { h, placeAt, setAttributes } from "../dom.js";
import { t } from "../core/strings.js";
import { learnAll } from "../language.js";

/** @import {Field} from "./index.js" */
/** @typedef {{whole: boolean, seed: boolean, min: number, max: number}} Range */

const ID = "expected";
const MOST_SEED = "18446744073709551615";

/** @param {HTMLInputElement} box @param {Field} field @param {Range} range @param {string} typed  in the box still, unless another value took its place */
export async function tellExpected(box, field, range, typed) {
  await learnAll();
  if (box.getAttribute("aria-describedby") === ID) return;
  const over = new AbortController();
  const { signal } = over;
  const tip = h("div", { class: "popup expected", popover: "manual", role: "alert", id: ID });
  document.body.append(tip);
  tip.showPopover();
  const doubt = (/** @type {boolean} */ there) => setAttributes(box, { "aria-invalid": there ? "true" : null, "aria-describedby": there ? ID : null });
  const close = () => {
    tip.remove();
    over.abort();
    doubt(false);
  };
  const say = (/** @type {string} */ text) => {
    tip.textContent = text;
    // Over the field: who goes on looks below it.
    const { left, top } = box.getBoundingClientRect();
    placeAt(tip, { x: left, y: top - tip.getBoundingClientRect().height - 4 });
  };
  const expected = t("expected.field", { what: whatOf(range) });
  const replaced = () => {
    doubt(false);
    say(`${t("expected.kept", { label: field.label, typed, value: box.value })} ${expected}`);
    for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, close, { capture: true, signal });
  };
  addEventListener("wheel", close, { capture: true, passive: true, signal });
  box.addEventListener("input", close, { signal });
  if (box.value !== typed || box !== document.activeElement) return replaced();
  doubt(true);
  say(expected);
  box.addEventListener("blur", replaced, { signal });
  box.addEventListener("keydown", (event) => void (event.key === "Escape" && close()), { signal });
}

/** @param {Range} range */
function whatOf({ whole, seed, min, max }) {
  if (seed) return t("expected.wholeRange", { min: 0, max: MOST_SEED });
  if (!Number.isFinite(min) || !Number.isFinite(max)) return t(whole ? "expected.whole" : "expected.number");
  return t(whole ? "expected.wholeRange" : "expected.numberRange", { min, max });
}
