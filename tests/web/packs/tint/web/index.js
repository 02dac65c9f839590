/** Three buttons in place of a number, and a panel. */

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

panel({ id: "tint.about", title: "About light", icon: "sliders", side: "left", create: async () => h("p", {}, "<b>Three</b> steps of light.") });
