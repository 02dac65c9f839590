/** Reads the workflow that a saved picture carries: the text chunks of a PNG file. */

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
