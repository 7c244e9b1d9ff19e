/** @module Tensors in the typed contents of a message, whose elements are the bytes that protobuf packs them to. */

import {
  type BodyShare,
  datatypes,
  elementArrays,
  elementsIn,
  invalidArgument,
  packStrings,
  quote,
  ServeError,
  type Tensor,
  tensorBytes,
  unpackStrings,
} from '../../../runtime/index.ts';
import type { SentOutput } from '../infer.ts';
import type { Contents, ModelInferRequest } from './messages.ts';
import { type Integers, readVarints, writeVarints } from './varints.ts';

/** The field of `InferTensorContents` that holds the elements of a type; undefined for the 16-bit floats. */
const FIELDS: Readonly<Record<Tensor['type'], keyof Contents | undefined>> = {
  bool: 'bool_contents',
  int8: 'int_contents',
  int16: 'int_contents',
  int32: 'int_contents',
  int64: 'int64_contents',
  uint8: 'uint_contents',
  uint16: 'uint_contents',
  uint32: 'uint_contents',
  uint64: 'uint64_contents',
  float32: 'fp32_contents',
  float64: 'fp64_contents',
  string: 'bytes_contents',
  float16: undefined,
  bfloat16: undefined,
};

const VARINTS = [
  'bool_contents',
  'int_contents',
  'int64_contents',
  'uint_contents',
  'uint64_contents',
] as const;

/** Maximum bytes of booleans and integers in the typed contents of a request, which the HTTP thread decodes in 20 ms. */
const MAX_VARINT_BYTES = 2 ** 21;

type NumberType = keyof typeof elementArrays;

export const hasField = (type: Tensor['type']): boolean => FIELDS[type] !== undefined;

/** Whether contents hold elements of any type. */
export const isFilled = (contents: Contents | null | undefined): boolean =>
  filledFields(contents).length > 0;

/** The fields that hold elements. A piece of bytes_contents is an element, even if it is empty. */
function filledFields(contents: Contents | null | undefined): string[] {
  const isElement = (field: string, piece: Uint8Array) =>
    piece.length > 0 || field === 'bytes_contents';
  return Object.entries<readonly Uint8Array[]>({ ...contents })
    .filter(([field, pieces]) => pieces.some((piece) => isElement(field, piece)))
    .map(([field]) => field);
}

/** @throws {ServeError} `PAYLOAD_TOO_LARGE` if the booleans and integers of all inputs together take too long to decode. */
export function limitVarints({ inputs }: Pick<ModelInferRequest, 'inputs'>): void {
  let bytes = 0;
  for (const { contents } of inputs) {
    for (const field of VARINTS) {
      for (const { length } of contents?.[field] ?? []) bytes += length;
    }
  }
  if (bytes <= MAX_VARINT_BYTES) return;
  throw new ServeError(
    'PAYLOAD_TOO_LARGE',
    `The booleans and integers in typed contents have ${bytes} bytes: at most ${MAX_VARINT_BYTES} are taken, send large tensors in raw_input_contents.`,
  );
}

/**
 * Returns the elements of an input. Memory that they need beside the message counts in `share`.
 *
 * @throws {ServeError}
 */
export function fromContents(
  name: string,
  type: Tensor['type'],
  contents: Contents | null | undefined,
  share: BodyShare,
) {
  const field = FIELDS[type];
  if (field === undefined)
    throw invalidArgument(`Input ${quote(name)} is ${datatypes[type]}: send it raw.`);
  const other = filledFields(contents).find((key) => key !== field);
  if (other !== undefined) {
    throw invalidArgument(
      `Input ${quote(name)} is ${datatypes[type]}, which goes into ${field}, not ${other}.`,
    );
  }
  const pieces = contents?.[field] ?? [];
  if (type === 'string') {
    const packed = packStrings(pieces);
    share.take(packed.byteLength);
    return packed;
  }
  const bytes = whole(pieces, share);
  if (type === 'float32' || type === 'float64') return fromRaw(name, type, bytes);
  const wide = elementArrays[type].BYTES_PER_ELEMENT === 8;
  share.take(bytes.length * (wide ? 8 : 4));
  const words = readVarints(bytes, wide);
  if (words !== undefined) return toIntegers(name, type, words);
  throw invalidArgument(`Input ${quote(name)} ends in the middle of an element.`);
}

/** Returns the elements of an input that is sent as it lies in memory. @throws {ServeError} */
export function fromRaw(name: string, type: Tensor['type'], raw: Uint8Array) {
  if (type === 'string') return raw;
  const size = elementArrays[type].BYTES_PER_ELEMENT;
  if (raw.length % size !== 0) {
    throw invalidArgument(
      `Input ${quote(name)} has ${raw.length} bytes: expected a multiple of ${size}.`,
    );
  }
  return elementsIn(type, raw as Uint8Array<ArrayBuffer>);
}

function whole(pieces: readonly Uint8Array[], share: BodyShare): Uint8Array {
  const [first = new Uint8Array()] = pieces;
  if (pieces.length <= 1) return first;
  share.take(pieces.reduce((sum, { length }) => sum + length, 0));
  return Buffer.concat(pieces);
}

function toIntegers(name: string, type: NumberType, words: Uint32Array<ArrayBuffer>) {
  const { buffer, length } = words;
  if (type === 'int64') return new BigInt64Array(buffer, 0, length / 2);
  if (type === 'uint64') return new BigUint64Array(buffer, 0, length / 2);
  if (type === 'uint32') return words;
  if (type === 'int32') return new Int32Array(buffer, 0, length);
  if (type === 'bool') return toFlags(words);
  const given = type.startsWith('int') ? new Int32Array(buffer, 0, length) : words;
  const made = new elementArrays[type](given);
  for (let index = 0; index < length; index += 1) {
    const value = given[index];
    if (made[index] === value) continue;
    throw invalidArgument(`Input ${quote(name)} holds ${value}, which is no ${datatypes[type]}.`);
  }
  return made;
}

function toFlags(words: Uint32Array): Uint8Array {
  const flags = new Uint8Array(words.length);
  for (let index = 0; index < flags.length; index += 1) flags[index] = words[index] === 0 ? 0 : 1;
  return flags;
}

/** Returns the typed contents of an output. */
export function toContents(tensor: SentOutput['tensor']): Contents {
  const field = FIELDS[tensor.type]!;
  if (tensor.type === 'string') return { [field]: unpackStrings(tensorBytes(tensor)) ?? [] };
  // Booleans are packed as they lie in memory, too.
  const asItLies = field.startsWith('fp') || tensor.type === 'bool';
  return { [field]: [asItLies ? tensorBytes(tensor) : writeVarints(tensor.data as Integers)] };
}
