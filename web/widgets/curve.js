/** A curve through points that are dragged or moved by keys: for texts such as "0: 7, 0.5: 5, 1: 1", shares of the way and values there. */

import { h, setAttributes, setText } from "../dom.js";
import { t } from "../core/strings.js";
import { learnAll } from "../language.js";
import { knotsOf, textOf } from "../core/knots.js";
import { place } from "./popup.js";

/** @import {Knot} from "../core/knots.js" */
/** @import {Field} from "./index.js" */

const [WIDTH, HEIGHT, EDGE] = [320, 180, 12];
/** Parts of the whole that an arrow moves a point by: usually, and with Shift. */
const [STEP, LEAP] = [0.01, 0.1];
const HINT = "curve-hint";

/** Draw the curve of a field. @param {HTMLElement} anchor @param {Field} field */
export async function openCurve(anchor, field) {
  await learnAll();
  let knots = knotsOf(field.value()) ?? [];
  let chosen = 0;
  const { min: low = 0, max: high = 100 } = field.input.widget ?? {};
  const top = Math.min(high, Math.max(low + 10, ...knots.map(({ y }) => y * 1.25)));
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", tabindex: 0, role: "application", "aria-label": t("curve.title", { label: field.label }), "aria-describedby": HINT });
  const told = h("span", { class: "spoken", role: "status" });
  const px = (/** @type {Knot} */ { x, y }) => ({ x: EDGE + x * (WIDTH - 2 * EDGE), y: HEIGHT - EDGE - ((y - low) / (top - low)) * (HEIGHT - 2 * EDGE) });
  const element = h("div", { class: "popup", popover: "auto" }, /** @type {any} */ (svg), h("p", { class: "quiet curve-hint", id: HINT }, t("curve.hint"), h("span", { class: "by-keys" }, ` ${t("curve.keys")}`)), told);

  const draw = () => {
    const points = knots.map(px);
    const ends = [{ x: EDGE, y: points[0]?.y }, ...points, { x: WIDTH - EDGE, y: points.at(-1)?.y }];
    const dots = points.map(({ x, y }, index) => shape("circle", { cx: x, cy: y, r: 6, class: index === chosen ? "on" : "" }));
    const label = shape("text", { x: WIDTH - EDGE, y: 16, "text-anchor": "end" });
    label.textContent = knots[chosen] ? textOf([knots[chosen]]) : "";
    const { x = 0, y = 0 } = knots[chosen] ?? {};
    setText(told, t("curve.point", { number: chosen + 1, count: knots.length, value: Number(y.toFixed(2)), share: Number((100 * x).toFixed(1)) }));
    svg.replaceChildren(shape("path", { d: `M${EDGE} ${EDGE}V${HEIGHT - EDGE}H${WIDTH - EDGE}`, class: "axis" }), shape("path", { d: `M${ends.map(({ x, y }) => `${x} ${y}`).join("L")}`, class: "line" }), ...dots, label);
  };
  const change = (/** @type {Knot} */ knot) => {
    knots[chosen] = { x: Math.min(1, Math.max(0, knot.x)), y: Math.min(high, Math.max(low, knot.y)) };
    const kept = knots[chosen];
    knots = knots.toSorted((a, b) => a.x - b.x);
    chosen = knots.indexOf(kept);
    field.set(textOf(knots), false);
    draw();
  };
  /** Add a point halfway to the next, or before the last one's place. */
  const add = () => {
    const [from, to] = chosen + 1 < knots.length ? [knots[chosen], knots[chosen + 1]] : [knots[chosen - 1] ?? { x: 0, y: knots[chosen]?.y ?? top }, knots[chosen] ?? { x: 1, y: top }];
    knots.push({ x: 0, y: 0 });
    chosen = knots.length - 1;
    change({ x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 });
    field.seal();
  };
  const at = (/** @type {MouseEvent} */ event) => {
    const box = svg.getBoundingClientRect();
    const [x, y] = [((event.clientX - box.left) * WIDTH) / box.width, ((event.clientY - box.top) * HEIGHT) / box.height];
    return { x: (x - EDGE) / (WIDTH - 2 * EDGE), y: low + ((HEIGHT - EDGE - y) / (HEIGHT - 2 * EDGE)) * (top - low) };
  };
  let dragging = false;
  svg.addEventListener("pointerdown", (event) => {
    const press = /** @type {PointerEvent} */ (event);
    const there = px(at(press));
    const near = knots.findIndex((knot) => Math.hypot(px(knot).x - there.x, px(knot).y - there.y) < 14);
    if (near < 0) knots.push(at(press));
    chosen = near < 0 ? knots.length - 1 : near;
    dragging = true;
    svg.setPointerCapture(press.pointerId);
    change(near < 0 ? at(press) : knots[chosen]);
  });
  svg.addEventListener("pointermove", (event) => dragging && change(at(/** @type {PointerEvent} */ (event))));
  svg.addEventListener("pointerup", () => {
    dragging = false;
    field.seal();
  });
  svg.addEventListener("keydown", (event) => {
    const key = /** @type {KeyboardEvent} */ (event);
    const way = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, top - low], ArrowDown: [0, low - top] })[key.key];
    const step = key.shiftKey ? LEAP : STEP;
    if (way && knots[chosen]) change({ x: knots[chosen].x + step * way[0], y: knots[chosen].y + step * way[1] });
    else if (key.key === " " || key.key === "Enter") add();
    else if (knots.length > 0 && (key.key === "PageDown" || key.key === "PageUp")) chosen = (chosen + (key.key === "PageDown" ? 1 : knots.length - 1)) % knots.length;
    else if (key.key === "Delete" && knots.length > 1) {
      knots.splice(chosen, 1);
      chosen = Math.max(0, chosen - 1);
      field.set(textOf(knots), true);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    draw();
  });
  element.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== "closed") return;
    field.seal();
    element.remove();
    anchor.focus({ preventScroll: true });
  });
  draw();
  document.body.append(element);
  element.showPopover();
  place(element, anchor);
  svg.focus();
}

/** @param {string} tag @param {Readonly<Record<string, string | number>>} attributes @returns {SVGElement} */
function shape(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(element, attributes);
  return /** @type {SVGElement} */ (element);
}
