/** @module The results of a request as they are kept in memory. */

import type { PackedTensor, RunResult, Tensor } from '../../native/index.ts';

/** The results of a request, with the key that they belong to. Nothing may write to them. */
export interface CacheEntry {
  /** The whole key; see `CacheKey`. */
  readonly key: Uint8Array;
  /** The result of each run. */
  readonly results: readonly RunResult[];
  /** When the runs ended, milliseconds since 1970. */
  readonly storedAt: number;
}

/**
 * What an entry, each of its tensors and each of its strings take in memory besides their elements. The numbers allow for
 * what a garbage collector leaves: a full cache of small entries makes a process on Bun larger by up to twice its limit.
 */
const ENTRY_BYTES = 2048;
const TENSOR_BYTES = 512;
const STRING_BYTES = 64;
/** Arrays of at most as many bytes are copied in any case. */
const SHORT = 1024;

/** Makes an entry. Outputs that are views of larger memory are copied, so that the rest of it can be freed. */
export function createEntry(
  key: Uint8Array,
  results: readonly RunResult[],
  storedAt: number,
): CacheEntry {
  return { key, results: results.map(withOwnMemory), storedAt };
}

function withOwnMemory({ outputs, packedStrings, timings }: RunResult): RunResult {
  const own = { outputs: eachCompact(outputs), timings };
  return packedStrings === undefined ? own : { ...own, packedStrings: eachCompact(packedStrings) };
}

function eachCompact<T extends Tensor | PackedTensor>(tensors: Readonly<Record<string, T>>) {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, compact(tensor)]),
  );
}

function compact<T extends Tensor | PackedTensor>(tensor: T): T {
  const { data } = tensor;
  if (!ArrayBuffer.isView(data)) return tensor;
  // To ask a short array for its memory makes an object of that, which takes more than the elements.
  const isOwn = data.byteLength > SHORT && data.byteLength === data.buffer.byteLength;
  return isOwn ? tensor : { ...tensor, data: data.slice() };
}

/** About how many bytes of memory an entry takes. */
export function entryBytes({ key, results }: CacheEntry): number {
  const tensors = results.flatMap(({ outputs, packedStrings = {} }) => [
    ...Object.values<Tensor | PackedTensor>(outputs),
    ...Object.values(packedStrings),
  ]);
  return tensors.reduce(
    (sum, { data }) => sum + TENSOR_BYTES + dataBytes(data),
    ENTRY_BYTES + key.length,
  );
}

const dataBytes = (data: Tensor['data']): number =>
  ArrayBuffer.isView(data)
    ? data.byteLength
    : data.reduce((sum, text) => sum + STRING_BYTES + 2 * text.length, 0);
