/** A picture the person brings: dropped on the node, chosen from disk, or one uploaded before. */

import { button, h, setText } from "../dom.js";
import { t } from "../core/strings.js";

/** @import {Control, Field} from "./index.js" */

/** @param {Field} field @returns {Control} */
export function fileControl(field) {
  const media = field.input.widget?.media ?? "image";
  const image = h("img", { alt: "", class: "thumbnail", draggable: "false" });
  const hint = h("span", { class: "drop-hint" }, t("widget.dropHere"));
  const name = h("span", { class: "file-name" });
  const chooser = h("input", { type: "file", accept: `${media}/*`, hidden: true, "aria-label": field.label });
  const choose = button({ label: `${field.label}: ${t("widget.choose")}`, icon: "picture", class: "field-button", title: t("widget.choose") }, () => chooser.click());
  const paint = button({ label: `${field.label}: ${t("paint.title")}`, icon: "brush", class: "field-button", title: t("paint.title") }, async () => {
    const value = String(field.value() ?? "");
    const { openPaint } = await import("../panels/paint.js");
    await openPaint(field.fileUrl(value), value, field.upload);
  });
  chooser.addEventListener("change", () => {
    const [file] = chooser.files ?? [];
    if (file) field.upload(file);
    chooser.value = "";
  });
  image.addEventListener("error", () => image.toggleAttribute("hidden", true));

  /** @param {unknown} value */
  const show = (value) => {
    const chosen = typeof value === "string" && value !== "" ? value : null;
    setText(name, chosen ?? t("widget.choose"));
    paint.toggleAttribute("hidden", chosen === null || media !== "image");
    image.toggleAttribute("hidden", chosen === null || media !== "image");
    hint.toggleAttribute("hidden", chosen !== null);
    image.alt = chosen ? t("widget.picture", { name: chosen }) : "";
    if (chosen !== null) image.src = field.fileUrl(chosen);
    else image.removeAttribute("src");
  };
  const element = h("div", { class: "control file", "data-input": field.input.name }, h("div", { class: "drop" }, image, hint), h("div", { class: "file-line" }, name, paint, choose, chooser));
  return { element, show };
}
