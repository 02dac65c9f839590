/** Reads the workflow that a WebP, JPEG or AVIF picture carries in its EXIF data. */

const DESCRIPTION = 0x010e;
const ASCII = 2;
const SHORTEST = 4;
/** What a description is. */
const WORKFLOW = "workflow";
/** ComfyUI writes these words, a colon and the text into tags that are not always the same. */
const NAMED = /^(workflow|prompt):/;

/**
 * The texts of the first EXIF data that has any, by keyword. The data begins with a TIFF header wherever the format of
 * the picture puts it, so it is looked for by that.
 * @param {Uint8Array} bytes
 * @returns {Map<string, string>}
 */
export function readTexts(bytes) {
  for (let at = 0; at + 14 <= bytes.length; at++) {
    const little = bytes[at] === 0x49 && bytes[at + 1] === 0x49 && bytes[at + 2] === 42 && bytes[at + 3] === 0;
    const big = bytes[at] === 0x4d && bytes[at + 1] === 0x4d && bytes[at + 2] === 0 && bytes[at + 3] === 42;
    const texts = little || big ? textsAt(new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at), little) : NONE;
    if (texts.size > 0) return texts;
  }
  return NONE;
}

/** @type {Map<string, string>} */
const NONE = new Map();

/** @param {DataView} tiff @param {boolean} little @returns {Map<string, string>} */
function textsAt(tiff, little) {
  const directory = tiff.getUint32(4, little);
  if (directory < 8 || directory + 2 > tiff.byteLength) return NONE;
  /** @type {Map<string, string>} */
  const texts = new Map();
  const count = tiff.getUint16(directory, little);
  for (let index = 0; index < count; index++) {
    const entry = directory + 2 + 12 * index;
    if (entry + 12 > tiff.byteLength) break;
    if (tiff.getUint16(entry + 2, little) !== ASCII) continue;
    const length = tiff.getUint32(entry + 4, little);
    const start = length <= SHORTEST ? entry + 8 : tiff.getUint32(entry + 8, little);
    if (start + length > tiff.byteLength) break;
    const text = new TextDecoder().decode(new Uint8Array(tiff.buffer, tiff.byteOffset + start, length)).replace(/\0+$/, "");
    const named = NAMED.exec(text);
    if (named) texts.set(named[1], text.slice(named[0].length));
    else if (tiff.getUint16(entry, little) === DESCRIPTION) texts.set(WORKFLOW, text);
  }
  return texts;
}
