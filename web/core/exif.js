/** Reads the workflow that a WebP, JPEG or AVIF picture carries: the description in its EXIF data. */

const DESCRIPTION = 0x010e;
const ASCII = 2;
const SHORTEST = 4;

/**
 * The first description of the EXIF data; null without one. The data begins with a TIFF header wherever the format of
 * the picture puts it, so it is looked for by that.
 * @param {Uint8Array} bytes
 * @returns {string | null}
 */
export function readDescription(bytes) {
  for (let at = 0; at + 14 <= bytes.length; at++) {
    const little = bytes[at] === 0x49 && bytes[at + 1] === 0x49 && bytes[at + 2] === 42 && bytes[at + 3] === 0;
    const big = bytes[at] === 0x4d && bytes[at + 1] === 0x4d && bytes[at + 2] === 0 && bytes[at + 3] === 42;
    const text = little || big ? descriptionAt(new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at), little) : null;
    if (text !== null) return text;
  }
  return null;
}

/** @param {DataView} tiff @param {boolean} little @returns {string | null} */
function descriptionAt(tiff, little) {
  const directory = tiff.getUint32(4, little);
  if (directory < 8 || directory + 2 > tiff.byteLength) return null;
  const count = tiff.getUint16(directory, little);
  for (let index = 0; index < count; index++) {
    const entry = directory + 2 + 12 * index;
    if (entry + 12 > tiff.byteLength) return null;
    if (tiff.getUint16(entry, little) !== DESCRIPTION || tiff.getUint16(entry + 2, little) !== ASCII) continue;
    const length = tiff.getUint32(entry + 4, little);
    const start = length <= SHORTEST ? entry + 8 : tiff.getUint32(entry + 8, little);
    if (start + length > tiff.byteLength) return null;
    const text = new Uint8Array(tiff.buffer, tiff.byteOffset + start, length);
    return new TextDecoder().decode(text).replace(/\0+$/, "");
  }
  return null;
}
