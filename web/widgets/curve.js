/** A curve through points that are dragged: for texts such as "0: 7, 0.5: 5, 1: 1", shares of the way and values there. */

import { h, setAttributes } from "../dom.js";
import { t } from "../core/strings.js";
import { knotsOf } from "../core/knots.js";
import { place } from "./popup.js";

/** @import {Knot} from "../core/knots.js" */
/** @import {Field} from "./index.js" */

const [WIDTH, HEIGHT, EDGE] = [320, 180, 12];

/** @param {readonly Knot[]} knots */
export const textOf = (knots) => knots.map(({ x, y }) => `${Number(x.toFixed(3))}: ${Number(y.toFixed(2))}`).join(", ");

/** Draw the curve of a field. @param {HTMLElement} anchor @param {Field} field */
export function openCurve(anchor, field) {
  let knots = knotsOf(field.value()) ?? [];
  let chosen = 0;
  const { min: low = 0, max: high = 100 } = field.input.widget ?? {};
  const top = Math.min(high, Math.max(low + 10, ...knots.map(({ y }) => y * 1.25)));
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", tabindex: 0, role: "application", "aria-label": t("curve.hint") });
  const px = (/** @type {Knot} */ { x, y }) => ({ x: EDGE + x * (WIDTH - 2 * EDGE), y: HEIGHT - EDGE - ((y - low) / (top - low)) * (HEIGHT - 2 * EDGE) });
  const element = h("div", { class: "popup", popover: "auto" }, /** @type {any} */ (svg));

  const draw = () => {
    const points = knots.map(px);
    const ends = [{ x: EDGE, y: points[0]?.y }, ...points, { x: WIDTH - EDGE, y: points.at(-1)?.y }];
    const dots = points.map(({ x, y }, index) => shape("circle", { cx: x, cy: y, r: 6, class: index === chosen ? "on" : "" }));
    const label = shape("text", { x: WIDTH - EDGE, y: 16, "text-anchor": "end" });
    label.textContent = knots[chosen] ? textOf([knots[chosen]]) : "";
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
    const step = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-0.01, 0], ArrowRight: [0.01, 0], ArrowUp: [0, (top - low) / 100], ArrowDown: [0, (low - top) / 100] })[key.key];
    if (step && knots[chosen]) change({ x: knots[chosen].x + step[0], y: knots[chosen].y + step[1] });
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
