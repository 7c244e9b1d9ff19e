/** @module The part of the codec that works on other threads, and the budget for the bytes of its results. */

import type { ByteBudget, ParameterValue } from './codec-types.ts';

/** Parameters as the addon returns them: names and values in turn. */
export type RawParameters = readonly ParameterValue[];

/** Elements as the addon returns them. A number is the offset of binary data in the body. */
export type RawData = ArrayBuffer | readonly string[] | number;

/** Strings as one block of UTF-8, and the offset in it at which each string ends (doubles). */
export type RawStrings = readonly [utf8: ArrayBuffer, ends: ArrayBuffer];

export type RawInput<Data = RawData> = readonly [
  name: string,
  type: number,
  dims: readonly number[],
  parameters: RawParameters,
  data: Data,
  /** The size of the binary data in the body. */
  bytes: number,
];

/** A parsed request as the addon returns it. */
export type RawRequest<Data = RawData> = readonly [
  id: string,
  parameters: RawParameters,
  inputs: readonly RawInput<Data>[],
  outputs: readonly (readonly [name: string, parameters: RawParameters])[] | null,
];

/** The arguments of both parsers of requests, but for their last one. */
export type ParseArguments = readonly [
  body: Uint8Array,
  headerLength: number,
  nonFinite: number,
  maxBytes: number,
  maxTensors: number,
  maxStrings: number,
];

/** Functions of the addon that addon/codec_async.h describes. */
export interface NativeAsyncCodec {
  parseRequestAsync(
    ...call: readonly [...ParseArguments, budget: number]
  ): Promise<readonly [request: RawRequest<RawData | RawStrings>, taken: number]>;
  cutStrings(utf8: Uint8Array, ends: Uint8Array, first: number, last: number): string[];
  encodeAsync(nonFinite: number, ...parts: readonly unknown[]): Promise<ArrayBuffer>;
  takeBytes(bytes: number, limit: number): boolean;
  giveBytes(bytes: number): void;
  takenBytes(): number;
}

/** The most strings that are made in one turn of the event loop. */
const STRINGS_PER_TURN = 8192;

/** Makes the strings of a tensor in several turns of the event loop, so that the thread does other things in between. */
async function toStrings(native: NativeAsyncCodec, [utf8, ends]: RawStrings): Promise<string[]> {
  const chars = new Uint8Array(utf8);
  const places = new Uint8Array(ends);
  const count = ends.byteLength / Float64Array.BYTES_PER_ELEMENT;
  const strings: string[] = [];
  for (let first = 0; first < count; first += STRINGS_PER_TURN) {
    // On Deno setImmediate would run before the network gets its turn, again and again.
    if (first > 0) await new Promise((resolve) => setTimeout(resolve, 0));
    strings.push(...native.cutStrings(chars, places, first, first + STRINGS_PER_TURN));
  }
  return strings;
}

const isRawStrings = (data: RawData | RawStrings): data is RawStrings =>
  Array.isArray(data) && data[0] instanceof ArrayBuffer;

/** Returns the request with JavaScript strings in place of UTF-8. */
export async function withStrings(
  native: NativeAsyncCodec,
  [id, parameters, inputs, outputs]: RawRequest<RawData | RawStrings>,
): Promise<RawRequest> {
  const whole: RawInput[] = [];
  for (const [name, type, dims, inputParameters, data, bytes] of inputs) {
    const elements = isRawStrings(data) ? await toStrings(native, data) : data;
    whole.push([name, type, dims, inputParameters, elements, bytes]);
  }
  return [id, parameters, whole, outputs];
}

/** Returns the budget of this limit; see `Codec.byteBudget`. */
export function byteBudget(native: NativeAsyncCodec, limit: number): ByteBudget {
  return {
    limit,
    get taken() {
      return native.takenBytes();
    },
    take: (bytes) => native.takeBytes(bytes, limit),
    give: (bytes) => native.giveBytes(bytes),
  };
}
