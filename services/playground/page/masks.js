/** Masks of a response, as the page draws and compares them. */

/** Longest side of the raster, in pixels: more would not be seen, and would take the memory of a large picture. */
const LONGEST = 1024;

/**
 * The size on which masks of an image are drawn.
 *
 * @param {readonly number[]} size Height and width of the image.
 * @returns {{ width: number, height: number }}
 */
export function rasterSize([height = 1, width = 1]) {
  const scale = Math.min(1, LONGEST / Math.max(height, width));
  return {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
}

/**
 * The indices into the image of the pixels of a raster, each in the middle of what it stands for.
 *
 * @param {number} count Of the raster.
 * @param {number} length Of the image.
 */
const samples = (count, length) =>
  Int32Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * length) / count));

/**
 * The mask on the raster: 1 for each of its pixels, in rows.
 *
 * @param {{ size: readonly number[], counts: readonly number[] }} mask Runs of 0 and 1 in turn, down the columns, as COCO has them.
 * @returns {Uint8Array}
 */
export function rasterOf({ size, counts }) {
  const [height = 1, width = 1] = size;
  const raster = rasterSize(size);
  const columns = samples(raster.width, width);
  const rows = samples(raster.height, height);
  const pixels = new Uint8Array(raster.width * raster.height);
  let run = 0;
  // The first pixel after the run.
  let end = counts[0] ?? 0;
  for (let x = 0; x < raster.width; x += 1) {
    const top = /** @type {number} */ (columns[x]) * height;
    for (let y = 0; y < raster.height; y += 1) {
      const place = top + /** @type {number} */ (rows[y]);
      while (place >= end && run < counts.length) {
        run += 1;
        end += counts[run] ?? Number.POSITIVE_INFINITY;
      }
      if (run % 2 === 1) pixels[y * raster.width + x] = 1;
    }
  }
  return pixels;
}

/**
 * The pixels that two masks share, as a part of those that they have together; 1 if both are empty.
 *
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
export function agreement(a, b) {
  let shared = 0;
  let together = 0;
  for (let i = 0; i < a.length; i += 1) {
    shared += /** @type {number} */ (a[i]) & /** @type {number} */ (b[i]);
    together += /** @type {number} */ (a[i]) | /** @type {number} */ (b[i]);
  }
  return together === 0 ? 1 : shared / together;
}

/**
 * The masks of one class as one.
 *
 * @param {readonly Uint8Array[]} masks
 * @param {number} length
 */
export function union(masks, length) {
  const all = new Uint8Array(length);
  for (const mask of masks) {
    for (let i = 0; i < length; i += 1) if (mask[i] === 1) all[i] = 1;
  }
  return all;
}
