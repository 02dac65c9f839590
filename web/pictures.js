/** Addresses of pictures, and what can be done with one: keep it as a file, copy it. */

import { h } from "./dom.js";

/** @import {OutputFile} from "./core/types.js" */

/** The kind under which a picture of a job is dragged. */
export const DRAGGED = "application/x-weft-picture";

/** Have a picture of a job dragged onto nodes, or its workflow onto the canvas. @param {HTMLElement} element @param {() => {job: string, node: string, file: OutputFile} | null} made */
export function draggable(element, made) {
  element.draggable = true;
  element.addEventListener("dragstart", ({ dataTransfer }) => {
    const picture = made();
    if (!picture) return;
    const { job, node, file: { url } } = picture;
    dataTransfer?.setData(DRAGGED, JSON.stringify({ job, node, url }));
    dataTransfer?.setData("text/uri-list", new URL(url, location.href).href);
  });
}

/** A small form of a picture that the server has. @param {string} url */
export const thumbnailOf = (url) => url.replace("/api/v1/files/", "/api/v1/thumbnails/");

/** @param {string} url */
export const nameOf = (url) => decodeURIComponent(url.split("/").at(-1) ?? "");

/** @param {string} url */
export async function fileOf(url) {
  const blob = await (await fetch(url)).blob();
  return new File([blob], nameOf(url), { type: blob.type });
}

/** Hand a picture to the browser as a file. @param {OutputFile} file */
export function download(file) {
  const link = h("a", { href: file.url, download: nameOf(file.url) });
  link.click();
}

/** Put a picture on the clipboard, as PNG, the one kind every clipboard takes. @param {string} url */
export async function copy(url) {
  const blob = fetch(url).then(async (answer) => {
    const picture = await answer.blob();
    return picture.type === "image/png" ? picture : asPng(picture);
  });
  await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
}

/** @param {Blob} picture @returns {Promise<Blob>} */
async function asPng(picture) {
  const bitmap = await createImageBitmap(picture);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/png" });
}
