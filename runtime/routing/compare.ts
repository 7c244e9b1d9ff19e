/** @module Compares the outputs of a shadow with those of the version that has responded. */

import type { RunResult, Tensor, Tensors } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import type { ModelVersion } from '../model.ts';
import { ranksAbove } from '../tasks/index.ts';
import { numbersOf, readable } from './tensors.ts';

/** A version's outputs for the runs of a request. */
export interface Answer {
  readonly version: ModelVersion;
  readonly results: readonly RunResult[];
}

export interface Difference {
  /** As in `Comparison`. */
  readonly agrees: boolean;
  readonly maxAbsDifference: number | undefined;
}

/** The tolerance of routes that set none: a sum in a kernel depends a little on the batch. */
const TOLERANCE = 1e-4;

/** Elements of a tensor that are compared; more would keep the thread from its requests. */
const MOST_COMPARED = 2 ** 20;

/** All outputs of a run by name. */
export const outputsOf = ({ outputs, packedStrings }: RunResult): Tensors => ({
  ...outputs,
  ...packedStrings,
});

/**
 * Compares the outputs of two versions: the classes of two classifiers, and otherwise all values. Outputs are compared with
 * those of the same name or, if there is none, of the same place.
 */
export function compareAnswers(own: Answer, other: Answer, tolerance = TOLERANCE): Difference {
  const classify = isClassifier(own.version) && isClassifier(other.version);
  let agrees = own.results.length === other.results.length;
  let most: number | undefined;
  for (const [name, tensor, match] of pairs(own.results, other.results)) {
    if (match === undefined) {
      agrees = false;
      continue;
    }
    const [a, b] = [readable(tensor), readable(match[1])];
    const difference = largestDifference(a, b);
    if (difference !== undefined && difference < Infinity) most = Math.max(most ?? 0, difference);
    agrees &&=
      classify && hasScores(a) && hasScores(b)
        ? isSame(
            classesOf(a, own.version.labels[name]),
            classesOf(b, other.version.labels[match[0]]),
          )
        : difference !== undefined && difference <= tolerance;
  }
  return { agrees, maxAbsDifference: most };
}

type Output = readonly [name: string, tensor: Tensors[string]];

/** Each output of the first results, with the one of the second that it is compared with. */
function* pairs(
  own: readonly RunResult[],
  other: readonly RunResult[],
): Generator<readonly [...Output, match: Output | undefined]> {
  for (const [run, result] of own.entries()) {
    const outputs = Object.entries(outputsOf(result));
    const others = new Map(Object.entries(run < other.length ? outputsOf(other[run]!) : {}));
    const isShared = outputs.some(([name]) => others.has(name));
    for (const [place, [name, tensor]] of outputs.entries()) {
      const found = isShared ? others.get(name) : undefined;
      const match: Output | undefined = isShared ? found && [name, found] : [...others].at(place);
      yield [name, tensor, match];
    }
  }
}

const isClassifier = ({ task }: ModelVersion): boolean =>
  !(task instanceof ServeError) && task.name === 'classification';

/** Whether a classifier's output has a score for each of several classes. */
const hasScores = ({ type, dims }: Tensor): boolean =>
  type.includes('float') && dims.length > 1 && dims.at(-1)! > 1;

/** The class of each row: its label or, without labels, its index. */
function classesOf(tensor: Tensor, labels: readonly string[] | undefined): (string | number)[] {
  const scores = numbersOf(tensor)!;
  const size = tensor.dims.at(-1)!;
  const rows = Math.floor(Math.min(scores.length, MOST_COMPARED) / size);
  return Array.from({ length: rows }, (_, row) => {
    let best = 0;
    for (let i = 1; i < size; i += 1) {
      if (ranksAbove(scores[row * size + i]!, scores[row * size + best]!)) best = i;
    }
    return labels?.[best] ?? best;
  });
}

const isSame = <T>(a: ArrayLike<T>, b: ArrayLike<T>): boolean =>
  a.length === b.length && Array.prototype.every.call(a, (each, i) => each === b[i]);

/**
 * The largest difference of two elements; infinite if only one of them is NaN. Undefined if the tensors have different
 * shapes or strings, or one has strings and the other numbers.
 */
function largestDifference(a: Tensor, b: Tensor): number | undefined {
  if (!isSame(a.dims, b.dims)) return undefined;
  const [x, y] = [numbersOf(a), numbersOf(b)];
  if (x === undefined || y === undefined) {
    return x === y && isSame<unknown>(a.data, b.data) ? 0 : undefined;
  }
  let most = 0;
  const length = Math.min(x.length, MOST_COMPARED);
  for (let i = 0; i < length; i += 1) {
    if (Object.is(x[i], y[i]) || x[i] === y[i]) continue;
    const difference = Math.abs(x[i]! - y[i]!);
    most = Math.max(most, Number.isNaN(difference) ? Infinity : difference);
  }
  return most;
}
