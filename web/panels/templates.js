/** Workflows to start from, each with the picture it makes. */

import * as api from "../api.js";
import { named, t, templateTitle } from "../core/strings.js";
import { h } from "../dom.js";
import { learnAll } from "../language.js";
import { openDialog } from "./dialog.js";

/** @import {Parts} from "../actions/action.js" */

/** @param {Parts} parts */
export async function openTemplates({ workspace, notify }) {
  try {
    const [templates] = await Promise.all([api.templates(), learnAll()]);
    const filter = h("input", { class: "field", type: "search", "aria-label": t("templates.find"), placeholder: t("templates.find") });
    const grid = h("ul", { class: "template-grid" });
    const dialog = openDialog(t("open.templates"), "wide", filter, grid);
    const cards = templates.map(({ name, picture, needs }) => {
      const [title, about] = [templateTitle(name), named(`template.${name}.about`, "")];
      const image = picture ? h("img", { src: api.templatePicture(name), alt: "", width: 128, height: 128, loading: "lazy" }) : null;
      const card = h("button", { type: "button", class: "template" }, image, h("strong", {}, title), h("span", {}, about), needs.length > 0 ? h("small", {}, t("templates.needs", { names: needs.join(", ") })) : null);
      card.addEventListener("click", () => {
        dialog.close();
        void workspace.openTemplate(name);
      });
      return { words: `${name} ${title} ${about}`.toLocaleLowerCase(), element: h("li", {}, card) };
    });
    const show = () => {
      const words = filter.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
      grid.replaceChildren(...cards.filter((card) => words.every((word) => card.words.includes(word))).map((card) => card.element));
    };
    filter.addEventListener("input", show);
    show();
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    notify(error.message);
  }
}
