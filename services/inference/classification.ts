/**
 * The classification extension: the highest scores of an output as strings `score:index:label`.
 *
 * @module
 */

import {
  type PackedTensor,
  quote,
  ranksAbove,
  ServeError,
  type Tensor,
} from '../../runtime/index.ts';

/** Maximum elements of an output that can be classified. */
const MAX_ELEMENTS = 1_000_000;

type Scores = Exclude<Tensor, { type: 'string' | 'bool' | 'float16' | 'bfloat16' }>;

function hasScores(tensor: Tensor | PackedTensor): tensor is Scores {
  return !['string', 'bool', 'float16', 'bfloat16'].includes(tensor.type);
}

/**
 * Returns the classes with the highest scores, in descending order.
 *
 * @param batched Whether dimension 0 of the tensor is the batch, whose rows are ranked separately.
 * @param count Maximum classes of a row.
 * @param labels The names of the classes, by index.
 * @returns strings of the shape `[rows, min(count, classes)]`, or `[min(count, classes)]` without a batch
 * @throws {ServeError} `INVALID_ARGUMENT` for outputs that cannot be classified
 */
export function classify(
  name: string,
  tensor: Tensor | PackedTensor,
  batched: boolean,
  count: number,
  labels: readonly string[] | undefined,
): Tensor<'string'> {
  if (!hasScores(tensor)) {
    throw new ServeError(
      'INVALID_ARGUMENT',
      `Output ${quote(name)} cannot be classified: its type ${tensor.type} has no scores.`,
    );
  }
  const { data } = tensor;
  if (data.length > MAX_ELEMENTS) {
    throw new ServeError(
      'INVALID_ARGUMENT',
      `Output ${quote(name)} cannot be classified: it has more than ${MAX_ELEMENTS} elements.`,
    );
  }
  const rows = batched ? (tensor.dims[0] ?? 1) : 1;
  const classes = rows === 0 ? 0 : data.length / rows;
  const kept = Math.min(count, classes);
  const entries: string[] = [];
  for (let row = 0; row < rows; row += 1) {
    for (const index of highest(data, row * classes, classes, kept)) {
      const label = labels?.[index];
      const score = formatScore(data[row * classes + index]!);
      entries.push(label === undefined ? `${score}:${index}` : `${score}:${index}:${label}`);
    }
  }
  return { type: 'string', dims: batched ? [rows, kept] : [kept], data: entries };
}

/** Candidates are sorted when there are this many more than are wanted. */
const CANDIDATES = 1024;

/**
 * Indices of the `count` highest of `length` scores from `start`, in descending order. Equal scores keep their order,
 * and NaN is last. Most scores are compared only with the lowest of the highest so far.
 */
function highest(data: Scores['data'], start: number, length: number, count: number): number[] {
  const byScore = (a: number, b: number) => {
    const [left, right] = [data[start + a]!, data[start + b]!];
    if (ranksAbove(left, right)) return -1;
    return ranksAbove(right, left) ? 1 : 0;
  };
  let order: number[] = [];
  let lowest: number | undefined;
  for (let index = 0; index < length; index += 1) {
    if (lowest !== undefined && byScore(index, lowest) >= 0) continue;
    order.push(index);
    if (order.length < 2 * count + CANDIDATES) continue;
    order = order.sort(byScore).slice(0, count);
    lowest = order.at(-1);
  }
  return order.sort(byScore).slice(0, count);
}

/** Formats a score as Triton does, with `std::to_string`: fractions have six decimals. */
const formatScore = (score: number | bigint): string =>
  typeof score === 'bigint' || !Number.isFinite(score) ? String(score) : score.toFixed(6);
