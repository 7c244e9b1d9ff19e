/** @module What the codec does beside the JavaScript thread, and the bytes that it counts there. */

import type { ByteBudget, ParameterValue } from './codec-types.ts';

export type RawParameters = readonly ParameterValue[];

/** Elements as the addon gives them: a number is their offset in the body. */
export type RawData = ArrayBuffer | readonly string[] | number;

/** Strings by their UTF-8, and where in it each ends. */
export type RawStrings = readonly [utf8: ArrayBuffer, ends: ArrayBuffer];

export type RawInput<Data = RawData> = readonly [
  name: string,
  type: number,
  dims: readonly number[],
  parameters: RawParameters,
  data: Data,
  /** Of elements in the body. */
  bytes: number,
];

/** A parsed request as the addon gives it. */
export type RawRequest<Data = RawData> = readonly [
  id: string,
  parameters: RawParameters,
  inputs: readonly RawInput<Data>[],
  outputs: readonly (readonly [name: string, parameters: RawParameters])[] | null,
];

/** The addon's functions: see addon/codec_async.h. */
export interface NativeAside {
  parseRequestAsync(
    body: Uint8Array,
    headerLength: number,
    nonFinite: number,
    maxBytes: number,
    maxTensors: number,
    maxStrings: number,
    budget: number,
  ): Promise<readonly [request: RawRequest<RawData | RawStrings>, taken: number]>;
  cutStrings(utf8: Uint8Array, ends: Uint8Array, first: number, last: number): string[];
  encodeAsync(nonFinite: number, ...parts: readonly unknown[]): Promise<ArrayBuffer>;
  takeBytes(bytes: number, limit: number): boolean;
  giveBytes(bytes: number): void;
  takenBytes(): number;
}

/** Most strings that are made between two turns of the event loop. */
const STRINGS_A_TURN = 8192;

/** The strings of a tensor, in turns between which the thread does other things. */
async function toStrings(native: NativeAside, [utf8, ends]: RawStrings): Promise<string[]> {
  const chars = new Uint8Array(utf8);
  const places = new Uint8Array(ends);
  const count = ends.byteLength / Float64Array.BYTES_PER_ELEMENT;
  const strings: string[] = [];
  for (let first = 0; first < count; first += STRINGS_A_TURN) {
    // Not setImmediate, which on Deno comes before the network, again and again.
    if (first > 0) await new Promise((resolve) => setTimeout(resolve, 0));
    strings.push(...native.cutStrings(chars, places, first, first + STRINGS_A_TURN));
  }
  return strings;
}

const isRawStrings = (data: RawData | RawStrings): data is RawStrings =>
  Array.isArray(data) && data[0] instanceof ArrayBuffer;

/** The request with its strings made. */
export async function withStrings(
  native: NativeAside,
  [id, parameters, inputs, outputs]: RawRequest<RawData | RawStrings>,
): Promise<RawRequest> {
  const whole: RawInput[] = [];
  for (const [name, type, dims, inputParameters, data, bytes] of inputs) {
    const elements = isRawStrings(data) ? await toStrings(native, data) : data;
    whole.push([name, type, dims, inputParameters, elements, bytes]);
  }
  return [id, parameters, whole, outputs];
}

export function byteBudget(native: NativeAside, limit: number): ByteBudget {
  return {
    limit,
    get taken() {
      return native.takenBytes();
    },
    take: (bytes) => native.takeBytes(bytes, limit),
    give: (bytes) => native.giveBytes(bytes),
  };
}
