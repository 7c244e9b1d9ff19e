/** Chooses among boxes as the server does, for controls that act on a response. */

/**
 * A part of an image, in its pixels.
 * @typedef {{ x: number, y: number, width: number, height: number }} Box
 *
 * @typedef {{ box: Box, class: string, confidence: number }} Detection
 */

/**
 * The area that two boxes share, as a part of what they cover together, with the precision of the server.
 *
 * @param {Box} a
 * @param {Box} b
 */
export function overlap(a, b) {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return Math.fround(shared / (a.width * a.height + b.width * b.height - shared));
}

/**
 * The boxes that are left by a threshold, and by the suppression of boxes that overlap a better one of their class. The server
 * compares boxes before it cuts off what lies outside of the image, so at its edges another box may stay.
 *
 * @param {readonly Detection[]} detections By falling confidence.
 * @param {number} threshold The confidence above which boxes stay.
 * @param {number | undefined} iou The overlap above which a box goes; undefined if all stay.
 * @returns {Detection[]}
 */
export function chooseBoxes(detections, threshold, iou) {
  /** @type {Detection[]} */
  const kept = [];
  for (const each of detections) {
    if (each.confidence <= threshold) continue;
    const isSuppressed =
      iou !== undefined &&
      kept.some((other) => other.class === each.class && overlap(other.box, each.box) > iou);
    if (!isSuppressed) kept.push(each);
  }
  return kept;
}

/** The overlap from which boxes of two models are taken for the same thing. */
const SAME = 0.5;

/**
 * The pairs of boxes of one class that lie in the same place, the best of the first list first, and those that are left over.
 *
 * @param {readonly Detection[]} first By falling confidence.
 * @param {readonly Detection[]} second
 */
export function pairBoxes(first, second) {
  const rest = new Set(second);
  /** @type {[Detection, Detection][]} */
  const pairs = [];
  /** @type {Detection[]} */
  const onlyFirst = [];
  for (const each of first) {
    let best = SAME;
    let partner;
    for (const other of rest) {
      const shared = other.class === each.class ? overlap(each.box, other.box) : 0;
      if (shared >= best) [best, partner] = [shared, other];
    }
    if (partner === undefined) onlyFirst.push(each);
    else {
      rest.delete(partner);
      pairs.push([each, partner]);
    }
  }
  return { pairs, onlyFirst, onlySecond: [...rest] };
}
