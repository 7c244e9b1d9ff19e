/** @module Encodes requests and decodes responses of the protocol, in JSON or with binary data after it, without Node or the addon. */

import type { ElementType } from '../../../runtime/index.ts';
import { type AnyTensor, InferenceError, type InferResponse } from './contract.ts';
import { bfloat16Bits, float16Bits } from './half.ts';

const DATATYPES: Readonly<Record<ElementType, string>> = {
  float32: 'FP32',
  float64: 'FP64',
  float16: 'FP16',
  bfloat16: 'BF16',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  bool: 'BOOL',
  string: 'BYTES',
};

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

const typeOf = new Map(
  Object.entries(DATATYPES).map(([type, name]) => [name, type as ElementType]),
);

export const HEADER_LENGTH = 'Inference-Header-Content-Length';

/** The contents of a request. */
export interface WireRequest {
  readonly inputs: Readonly<Record<string, AnyTensor>>;
  readonly outputs: readonly string[] | undefined;
  readonly priority: number | undefined;
  readonly id: string | undefined;
}

export interface Encoded {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/** Types that JSON numbers cannot hold exactly, which are always sent as binary data. */
const BINARY_ONLY: ReadonlySet<ElementType> = new Set(['float16', 'bfloat16', 'int64', 'uint64']);

/** @param binary Whether inputs and outputs are binary data, which is exact, smaller and faster. */
export function encodeRequest(request: WireRequest, binary: boolean): Encoded {
  const blobs: Uint8Array[] = [];
  const inputs = Object.entries(request.inputs).map(([name, tensor]) => {
    const { type, dims } = tensor;
    const head = { name, datatype: DATATYPES[type], shape: dims };
    if (!binary && !BINARY_ONLY.has(type)) return { ...head, data: jsonData(tensor) };
    const blob = toBytes(tensor);
    blobs.push(blob);
    return { ...head, parameters: { binary_data_size: blob.length } };
  });
  const { id, outputs, priority } = request;
  const json = JSON.stringify({
    id,
    parameters: { binary_data_output: binary, priority },
    inputs,
    outputs: outputs?.map((name) => ({ name, parameters: { binary_data: binary } })),
  });
  const head = new TextEncoder().encode(json);
  const headers: Record<string, string> = {
    'Content-Type': blobs.length > 0 ? 'application/octet-stream' : 'application/json',
  };
  if (blobs.length > 0) headers[HEADER_LENGTH] = String(head.length);
  return { body: concat([head, ...blobs]), headers };
}

interface JsonOutput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data?: readonly unknown[];
  readonly parameters?: { readonly binary_data_size?: number };
}

interface JsonResponse {
  readonly model_name: string;
  readonly model_version?: string;
  readonly id?: string;
  readonly outputs: readonly JsonOutput[];
}

/**
 * @param headerLength The response's `Inference-Header-Content-Length`, or null.
 * @throws {InferenceError} `BAD_RESPONSE`
 */
export function decodeResponse(
  body: Uint8Array<ArrayBuffer>,
  headerLength: string | null,
): InferResponse<Record<string, AnyTensor>> {
  try {
    const length = headerLength === null ? body.length : Number(headerLength);
    const json = parseExact(new TextDecoder().decode(body.subarray(0, length)));
    const outputs: Record<string, AnyTensor> = {};
    let at = length;
    for (const output of json.outputs) {
      const size = output.parameters?.binary_data_size;
      outputs[output.name] = toTensor(
        output,
        size === undefined ? undefined : body.subarray(at, at + size),
      );
      at += size ?? 0;
    }
    return { model: json.model_name, version: json.model_version ?? '', id: json.id, outputs };
  } catch (cause) {
    throw new InferenceError('BAD_RESPONSE', 'The response does not follow the protocol.', {
      cause,
    });
  }
}

/** A string, or an integer with so many digits that a number may not hold it. */
const LONG_INTEGER = /"(?:\\.|[^"\\])*"|-?\d{16,}(?![\d.eE])/g;

/** Parses JSON, and returns long integers as strings, because `JSON.parse` would round them. */
function parseExact(text: string): JsonResponse {
  const exact = /"U?INT64"/.test(text)
    ? text.replace(LONG_INTEGER, (token) => (token.startsWith('"') ? token : `"${token}"`))
    : text;
  return JSON.parse(exact) as JsonResponse;
}

/** The element type of a datatype of the protocol. @throws {InferenceError} `BAD_RESPONSE` */
export function elementType(datatype: string): ElementType {
  const type = typeOf.get(datatype);
  if (type !== undefined) return type;
  throw new InferenceError('BAD_RESPONSE', `The server names the unknown datatype ${datatype}.`);
}

function toTensor({ datatype, shape: dims, data }: JsonOutput, blob: Uint8Array | undefined) {
  const type = elementType(datatype);
  const elements =
    blob === undefined ? fromJson(type, (data ?? []).flat(Infinity)) : fromBytes(type, blob);
  return { type, dims, data: elements } as AnyTensor;
}

function jsonData({ type, data }: AnyTensor): unknown[] {
  if (type === 'bool') return Array.from(data, (value) => value === 1);
  return Array.from<unknown>(data as Iterable<unknown>);
}

function fromJson(type: ElementType, values: readonly unknown[]) {
  if (type === 'string') return values;
  if (type === 'int64' || type === 'uint64') {
    return ARRAYS[type].from((values as (number | string)[]).map((value) => BigInt(value)));
  }
  if (type === 'float16') return Uint16Array.from(values as number[], float16Bits);
  if (type === 'bfloat16') return Uint16Array.from(values as number[], bfloat16Bits);
  return ARRAYS[type].from(values as number[]);
}

function toBytes(tensor: AnyTensor): Uint8Array {
  if (tensor.type !== 'string') {
    const { buffer, byteOffset, byteLength } = tensor.data;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  const encoder = new TextEncoder();
  return concat(
    tensor.data.flatMap((element) => {
      const bytes = encoder.encode(element);
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, bytes.length, true);
      return [length, bytes];
    }),
  );
}

function fromBytes(type: ElementType, blob: Uint8Array) {
  // The copy is aligned for any type and does not keep the whole body alive.
  const { buffer } = blob.slice();
  if (type !== 'string') return new ARRAYS[type](buffer);
  const view = new DataView(buffer);
  // A byte order mark is part of a string.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const strings: string[] = [];
  for (let at = 0; at < view.byteLength; ) {
    const length = view.getUint32(at, true);
    strings.push(decoder.decode(new Uint8Array(buffer, at + 4, length)));
    at += 4 + length;
  }
  return strings;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
