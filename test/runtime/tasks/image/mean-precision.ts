/** @module The mean average precision of boxes, by the definition of the COCO challenge (cocodataset.org, "Detection Evaluation"). */

/** Left, top, width and height. */
export type Rectangle = readonly [number, number, number, number];

export interface TrueBox {
  readonly picture: number;
  readonly class: number;
  readonly box: Rectangle;
}

export interface FoundBox extends TrueBox {
  readonly score: number;
}

/** Points of recall at which the precision is read: 0, 0.01 … 1. */
const POINTS = 101;
const OVERLAPS = Array.from({ length: 10 }, (_, i) => 0.5 + 0.05 * i);

/** The mean over classes and overlaps. Every class has a true box, and no picture has more than 100 found ones. */
export function meanPrecision(
  found: readonly FoundBox[],
  truths: readonly TrueBox[],
  classes: number,
  overlaps: readonly number[] = OVERLAPS,
): number {
  let sum = 0;
  for (let index = 0; index < classes; index += 1) {
    const own = found.filter((each) => each.class === index).sort((a, b) => b.score - a.score);
    const wanted = truths.filter((each) => each.class === index);
    for (const overlap of overlaps) sum += precisionOf(own, wanted, overlap);
  }
  return sum / (classes * overlaps.length);
}

/** @param found By falling score. */
function precisionOf(
  found: readonly FoundBox[],
  truths: readonly TrueBox[],
  overlap: number,
): number {
  const taken = new Set<TrueBox>();
  const precisions: number[] = [];
  const recalls: number[] = [];
  for (const each of found) {
    let best: TrueBox | undefined;
    let most = overlap - 1e-10;
    for (const truth of truths) {
      if (truth.picture !== each.picture || taken.has(truth)) continue;
      const shared = overlapOf(each.box, truth.box);
      if (shared < most) continue;
      best = truth;
      most = shared;
    }
    if (best !== undefined) taken.add(best);
    precisions.push(taken.size / (precisions.length + 1));
    recalls.push(taken.size / truths.length);
  }
  // The precision at a recall is the best one at that recall or more.
  for (let i = precisions.length - 2; i >= 0; i -= 1) {
    precisions[i] = Math.max(precisions[i]!, precisions[i + 1]!);
  }
  let sum = 0;
  for (let point = 0; point < POINTS; point += 1) {
    const at = recalls.findIndex((recall) => recall >= point / (POINTS - 1));
    sum += at === -1 ? 0 : precisions[at]!;
  }
  return sum / POINTS;
}

function overlapOf(a: Rectangle, b: Rectangle): number {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(width, 0) * Math.max(height, 0);
  return shared / (a[2] * a[3] + b[2] * b[3] - shared);
}
