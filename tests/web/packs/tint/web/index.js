/** Three buttons in place of a number, a picture that is pressed in place of a menu, and a panel. */

import { control, h, panel } from "weft";

control("tint.Brighten.amount", (field) => {
  const buttons = [0.5, 1, 1.5].map((value) => {
    const button = h("button", { type: "button", class: "button small", "aria-label": `${field.label} ${value}` }, String(value));
    button.addEventListener("click", () => field.set(value, true));
    return button;
  });
  const show = (/** @type {unknown} */ value) => buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === String(value))));
  return { element: h("div", { class: "control" }, ...buttons), show };
});

control("tint.Brighten.where", (field) => {
  const element = h("canvas", { width: 60, height: 20, role: "switch", tabindex: 0, "aria-label": field.label });
  element.addEventListener("click", () => field.set(field.value() === "all" ? "middle" : "all", true));
  return { element, show: (value) => element.setAttribute("aria-checked", String(value === "middle")) };
});

panel({ id: "tint.about", title: "About light", icon: "sliders", side: "left", create: async () => h("p", {}, "<b>Three</b> steps of light.") });
