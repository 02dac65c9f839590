/** A small drawing of a whole graph, for files and overviews. */

import { colourOf } from "./core/colours.js";
import { union } from "./core/grid.js";

/** @import {Editor} from "./core/editor.js" */

const WIDTH = 768;
const HEIGHT = 512;
const MARGIN = 32;
const [PAPER, BOX, EDGE, TEXT] = ["#16161b", "#282831", "#4a4a58", "#ecebf2"];

/** @param {Editor} editor @returns {Promise<Blob>} a PNG */
export async function paintCard(editor) {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const ctx = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  ctx.fillStyle = PAPER;
  ctx.fillRect(0, 0, WIDTH, HEIGHT);
  const { nodes } = editor.scene;
  const all = union(nodes.boxes());
  if (all) {
    const scale = Math.min((WIDTH - 2 * MARGIN) / all.w, (HEIGHT - 2 * MARGIN) / all.h, 1);
    ctx.translate((WIDTH - all.w * scale) / 2, (HEIGHT - all.h * scale) / 2);
    ctx.scale(scale, scale);
    ctx.translate(-all.x, -all.y);
    for (const id of editor.document.nodes.keys()) paintNode(ctx, editor, id);
  }
  return canvas.convertToBlob({ type: "image/png" });
}

/** @param {OffscreenCanvasRenderingContext2D} ctx @param {Editor} editor @param {string} id */
function paintNode(ctx, editor, id) {
  const box = editor.scene.nodes.box(id);
  if (!box) return;
  const spec = editor.scene.spec(id);
  ctx.fillStyle = BOX;
  ctx.strokeStyle = EDGE;
  ctx.beginPath();
  ctx.roundRect(box.x, box.y, box.w, box.h, 8);
  ctx.fill();
  ctx.stroke();
  ctx.fillStyle = spec.outputs[0] ? colourOf(spec.outputs[0].type).dark : EDGE;
  ctx.fillRect(box.x, box.y, 4, box.h);
  ctx.fillStyle = TEXT;
  ctx.font = "600 14px system-ui, sans-serif";
  ctx.fillText(String(editor.document.nodes.get(id)?.title ?? spec.title), box.x + 16, box.y + 24, box.w - 24);
}
