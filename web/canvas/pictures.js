/** Small pictures of what nodes made or are making, as bitmaps for the painter: few, small, the oldest let go first. */

/** @typedef {(id: string) => void} Changed */

const WIDTH = 256;
const KEPT = 48;

export class Pictures {
  /** By node. @type {Map<string, {key: unknown, bitmap: ImageBitmap | null}>} */
  #kept = new Map();
  #changed;

  /** @param {Changed} changed  called when a node's picture is another */
  constructor(changed) {
    this.#changed = changed;
  }

  get size() {
    return this.#kept.size;
  }

  /** @param {string} id */
  get(id) {
    return this.#kept.get(id)?.bitmap ?? null;
  }

  /** @param {string} id @param {unknown} key  what the picture is made of: the same key, the same picture @param {() => Promise<Blob>} load */
  set(id, key, load) {
    const known = this.#kept.get(id);
    if (known?.key === key) return;
    const entry = { key, bitmap: known?.bitmap ?? null };
    this.#kept.delete(id);
    this.#kept.set(id, entry);
    for (const old of [...this.#kept.keys()].slice(0, Math.max(0, this.#kept.size - KEPT))) this.delete(old);
    void this.#make(id, entry, load);
  }

  /** @param {string} id */
  delete(id) {
    if (!this.#kept.delete(id)) return;
    this.#changed(id);
  }

  /** Let go of the pictures of all nodes but these. @param {ReadonlySet<string>} ids */
  keep(ids) {
    for (const id of [...this.#kept.keys()]) if (!ids.has(id)) this.delete(id);
  }

  /** @param {string} id @param {{bitmap: ImageBitmap | null}} entry @param {() => Promise<Blob>} load */
  async #make(id, entry, load) {
    try {
      const bitmap = await createImageBitmap(await load(), { resizeWidth: WIDTH, resizeQuality: "medium" });
      if (this.#kept.get(id) !== entry) return bitmap.close();
      entry.bitmap?.close();
      entry.bitmap = bitmap;
      this.#changed(id);
    } catch (error) {
      // A picture that is gone or no picture: the node simply shows none.
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
      if (this.#kept.get(id) === entry) this.delete(id);
    }
  }
}
