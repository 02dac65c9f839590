/** PNG files: reads and writes the workflow that a saved picture carries, and writes pictures with transparency. */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const LATIN = new TextDecoder("latin1");
const UTF8 = new TextDecoder("utf-8");

/**
 * Text chunks of a PNG by keyword; null when the bytes are no PNG. Chunks that run past the end are left out.
 * @param {Uint8Array} bytes
 * @returns {Promise<Map<string, string> | null>}
 */
export async function readText(bytes) {
  if (SIGNATURE.some((byte, index) => bytes[index] !== byte)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** @type {Map<string, string>} */
  const texts = new Map();
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) break;
    const kind = LATIN.decode(bytes.subarray(at + 4, at + 8));
    const entry = await readChunk(kind, bytes.subarray(at + 8, end));
    if (entry) texts.set(entry[0], entry[1]);
    at = end + 4;
  }
  return texts;
}

/**
 * The PNG with a text under a keyword, in place of one it had.
 * @param {Uint8Array} bytes  of a PNG @param {string} keyword @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function writeText(bytes, keyword, text) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** @type {Uint8Array[]} */
  const kept = [bytes.subarray(0, 8)];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + view.getUint32(at);
    const kind = LATIN.decode(bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, end - 4);
    const replaced = ["tEXt", "zTXt", "iTXt"].includes(kind) && LATIN.decode(body.subarray(0, Math.max(0, body.indexOf(0)))) === keyword;
    if (!replaced) kept.push(bytes.subarray(at, end));
    if (kind === "IHDR") kept.push(textChunk(keyword, text));
    at = end;
  }
  const joined = new Uint8Array(kept.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of kept) {
    joined.set(part, place);
    place += part.length;
  }
  return joined;
}

/** An iTXt chunk, not compressed. @param {string} keyword @param {string} text */
const textChunk = (keyword, text) => chunkOf("iTXt", new TextEncoder().encode(`${keyword}\0\0\0\0\0${text}`));

/** @param {string} kind @param {Uint8Array} body */
function chunkOf(kind, body) {
  const chunk = new Uint8Array(body.length + 12);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length);
  chunk.set(new TextEncoder().encode(kind), 4);
  chunk.set(body, 8);
  view.setUint32(8 + body.length, crc32(chunk.subarray(4, 8 + body.length)));
  return chunk;
}

/**
 * A PNG of pixels with transparency. What a canvas writes loses the colours of transparent pixels; this keeps them.
 * @param {number} width @param {number} height @param {Uint8ClampedArray} rgba  row by row, not premultiplied
 * @returns {Promise<Blob>}
 */
export async function encodePng(width, height, rgba) {
  const rows = new Uint8Array(height * (1 + 4 * width));
  for (let y = 0; y < height; y++) rows.set(rgba.subarray(4 * width * y, 4 * width * (y + 1)), y * (1 + 4 * width) + 1);
  const packed = await new Response(new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer();
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 6, 0, 0, 0], 8);
  return new Blob([new Uint8Array(SIGNATURE), chunkOf("IHDR", header), chunkOf("IDAT", new Uint8Array(packed)), chunkOf("IEND", new Uint8Array())], { type: "image/png" });
}

/** @param {Uint8Array} bytes */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** @param {string} kind @param {Uint8Array} data @returns {Promise<[string, string] | null>} */
async function readChunk(kind, data) {
  if (kind !== "tEXt" && kind !== "zTXt" && kind !== "iTXt") return null;
  const keywordEnd = data.indexOf(0);
  if (keywordEnd < 1) return null;
  const keyword = LATIN.decode(data.subarray(0, keywordEnd));
  if (kind === "tEXt") return [keyword, LATIN.decode(data.subarray(keywordEnd + 1))];
  if (kind === "zTXt") return [keyword, LATIN.decode(await inflate(data.subarray(keywordEnd + 2)))];
  const compressed = data[keywordEnd + 1] === 1;
  const languageEnd = data.indexOf(0, keywordEnd + 3);
  const titleEnd = data.indexOf(0, languageEnd + 1);
  if (languageEnd < 0 || titleEnd < 0) return null;
  const text = data.subarray(titleEnd + 1);
  return [keyword, UTF8.decode(compressed ? await inflate(text) : text)];
}

/** @param {Uint8Array} data */
async function inflate(data) {
  const stream = new Blob([data.slice()]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
