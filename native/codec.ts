/**
 * Parses requests and encodes responses of the Open Inference Protocol V2 natively, so that large JSON arrays
 * never become arrays of JavaScript numbers.
 *
 * @module
 */

import { fromAddon, loadAddon } from './binding.ts';
import {
  byteBudget,
  type NativeAsyncCodec,
  type ParseArguments,
  type RawData,
  type RawParameters,
  type RawRequest,
  withStrings,
} from './codec-async.ts';
import type {
  Codec,
  Datatypes,
  InferInput,
  InferRequest,
  InferResponse,
  JsonPiece,
  Parameters,
  ParameterValue,
  ParseRequestOptions,
  ReadNonFinite,
  WrittenNonFinite,
} from './codec-types.ts';
import { elementArrays, elementsIn, withoutHalfArray } from './elements.ts';
import { MillraceError } from './errors.ts';
import { FlatRequests, type ParseFlat } from './flat-request.ts';
import { packStrings } from './packed-strings.ts';
import { type ElementsText, SmallResponses } from './small-response.ts';
import type { ElementData, ElementType, PackedTensor, Tensor, Tensors } from './tensor-types.ts';

export const datatypes: Datatypes = {
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

/** The numbers of the enum `ElementType` in batching/tensor.h, which are those of ONNX's TensorProto.DataType. */
const typeNumbers: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};
/** The number that tells `encode` to copy bytes as they are. */
const RAW = 0;
/** A limit that nothing reaches. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;
const typeOf = new Map(Object.entries(typeNumbers).map(([type, n]) => [n, type as ElementType]));

/** The numbers of the enum `NonFinite` in codec/json_cursor.h. */
const nonFiniteNumbers: Readonly<Record<ReadNonFinite | WrittenNonFinite, number>> = {
  error: 0,
  null: 1,
  literal: 2,
  string: 3,
  any: 4,
};

/** The codec's functions of the addon, which addon/codec.cc describes. */
interface NativeCodec extends NativeAsyncCodec {
  encode(nonFinite: number, ...parts: readonly unknown[]): ArrayBuffer;
  parseRequest(...call: readonly [...ParseArguments, mostStringsHere: number]): RawRequest | null;
  readonly parseFlat: ParseFlat;
  readonly elementsText: ElementsText;
}

function invalid(message: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', message);
}

/** Returns the arguments of `encode` for a tensor's elements. JavaScript itself is quickest at encoding its strings. */
function jsonParts(type: ElementType, data: ElementData[ElementType]): unknown[] {
  if (type === 'string') {
    return data instanceof Uint8Array ? [typeNumbers.string, data] : [JSON.stringify(data)];
  }
  const elements = type === 'float16' ? withoutHalfArray(data) : data;
  if (!(elements instanceof elementArrays[type as Exclude<ElementType, 'string'>])) {
    throw invalid(`The data is not a typed array for ${type}`);
  }
  return [typeNumbers[type], elements];
}

/** Returns a tensor's elements as the protocol's binary data: little-endian, and strings as `packStrings` makes them. */
export function tensorBytes({ data }: Tensor | PackedTensor): Uint8Array {
  if (!ArrayBuffer.isView(data)) return packStrings(data);
  const { buffer, byteOffset, byteLength } = data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Returns the response as arguments of `encode`: JSON before each tensor, the tensor, and binary data at the end. */
function responseParts(response: InferResponse): { parts: unknown[]; binaryBytes: number[] } {
  const { modelName, modelVersion, id, parameters } = response;
  const head = { model_name: modelName, model_version: modelVersion, id, parameters };
  const parts: unknown[] = [];
  const blobs: Uint8Array[] = [];
  let text = `${JSON.stringify(head).slice(0, -1)},"outputs":[`;
  for (const [index, { name, tensor, binary = false }] of response.outputs.entries()) {
    const { type, dims } = tensor;
    text += `${index === 0 ? '' : ','}{"name":${JSON.stringify(name)},"datatype":"${datatypes[type]}","shape":[${dims}],`;
    if (binary) {
      const blob = tensorBytes(tensor);
      blobs.push(blob);
      text += `"parameters":{"binary_data_size":${blob.length}}}`;
    } else {
      parts.push(`${text}"data":`, ...jsonParts(type, tensor.data));
      text = '}';
    }
  }
  parts.push(`${text}]}`, ...blobs.flatMap((blob) => [RAW, blob]));
  return { parts, binaryBytes: blobs.map((blob) => blob.length) };
}

/** Returns pieces of JSON as arguments of `encode`. */
const jsonArguments = (pieces: readonly JsonPiece[]): readonly unknown[] =>
  pieces.flatMap<unknown>((piece) =>
    typeof piece === 'string' ? [piece] : [typeNumbers.float32, piece],
  );

function toParameters(flat: RawParameters): Parameters {
  const parameters: Record<string, ParameterValue> = Object.create(null);
  for (let i = 0; i < flat.length; i += 2) parameters[flat[i] as string] = flat[i + 1]!;
  return parameters;
}

function toData(body: Uint8Array, type: ElementType, data: RawData, bytes: number) {
  const binary =
    typeof data === 'number'
      ? (body.subarray(data, data + bytes) as Uint8Array<ArrayBuffer>)
      : undefined;
  if (type === 'string') return binary ?? data;
  return binary === undefined
    ? new elementArrays[type](data as ArrayBuffer)
    : elementsIn(type, binary);
}

function toRequest(body: Uint8Array, [id, parameters, inputs, outputs]: RawRequest): InferRequest {
  const tensors: Record<string, Tensors[string]> = Object.create(null);
  const listed: InferInput[] = [];
  for (const [name, number, dims, inputParameters, data, bytes] of inputs) {
    const type = typeOf.get(number)!;
    tensors[name] = { type, dims, data: toData(body, type, data, bytes) } as Tensors[string];
    listed.push({
      name,
      datatype: datatypes[type],
      shape: dims,
      parameters: toParameters(inputParameters),
    });
  }
  return {
    json: {
      id,
      parameters: toParameters(parameters),
      inputs: listed,
      outputs: outputs?.map(([name, flat]) => ({ name, parameters: toParameters(flat) })),
    },
    tensors,
  };
}

function parseArguments(
  body: Uint8Array,
  headerLength: number,
  options: ParseRequestOptions,
): ParseArguments {
  const { nonFinite = 'error', maxBytes = 64 * 2 ** 20, maxTensors = 256 } = options;
  const maxStrings = options.maxStrings ?? NO_LIMIT;
  return [body, headerLength, nonFiniteNumbers[nonFinite], maxBytes, maxTensors, maxStrings];
}

function toEncoded(buffer: ArrayBuffer, binaryBytes: readonly number[]) {
  const body = new Uint8Array(buffer);
  const blobs = binaryBytes.reduce((sum, size) => sum + size, 0);
  return { body, headerLength: blobs === 0 ? undefined : body.length - blobs };
}

/**
 * Returns the codec. Its only state is the number of bytes that the process has taken from its budgets.
 *
 * @throws {MillraceError} `NOT_FOUND` or `FAILED_PRECONDITION` where the addon cannot be loaded.
 */
export function openCodec(options: { readonly addon?: string } = {}): Codec {
  const native = loadAddon(options.addon) as unknown as NativeCodec;
  const flats = new FlatRequests(native.parseFlat, typeOf, datatypes);
  const responses = new SmallResponses(native.elementsText, typeNumbers, datatypes);
  const call = <T>(operation: () => T): T => {
    try {
      return operation();
    } catch (cause) {
      throw fromAddon(cause);
    }
  };
  const tryParse: Codec['tryParseInferRequest'] = (body, headerLength, most, options = {}) =>
    call(() => {
      const parsing = parseArguments(body, headerLength, options);
      const [, , nonFinite, maxBytes, maxTensors] = parsing;
      const small = headerLength === -1 && body.length <= maxBytes;
      const flat = small ? flats.read(body, nonFinite, maxTensors) : undefined;
      if (flat !== undefined) return flat;
      const parsed = native.parseRequest(...parsing, most);
      return parsed === null ? undefined : toRequest(body, parsed);
    });
  const callAsync = <T>(operation: () => Promise<T>): Promise<T> =>
    operation().catch((cause) => {
      throw fromAddon(cause);
    });
  return {
    encodeInferResponse: (response, { nonFinite = 'null' } = {}) =>
      call(() => {
        const text = responses.write(response, nonFiniteNumbers[nonFinite]);
        if (text !== undefined) return { body: text, headerLength: undefined };
        const { parts, binaryBytes } = responseParts(response);
        return toEncoded(native.encode(nonFiniteNumbers[nonFinite], ...parts), binaryBytes);
      }),

    encodeInferResponseAsync: (response, { nonFinite = 'null' } = {}) =>
      callAsync(async () => {
        const { parts, binaryBytes } = responseParts(response);
        return toEncoded(
          await native.encodeAsync(nonFiniteNumbers[nonFinite], ...parts),
          binaryBytes,
        );
      }),

    encodeJson: (pieces, { nonFinite = 'null' } = {}) =>
      call(
        () => new Uint8Array(native.encode(nonFiniteNumbers[nonFinite], ...jsonArguments(pieces))),
      ),

    encodeJsonAsync: (pieces, { nonFinite = 'null' } = {}) =>
      callAsync(async () => {
        const buffer = await native.encodeAsync(
          nonFiniteNumbers[nonFinite],
          ...jsonArguments(pieces),
        );
        return new Uint8Array(buffer);
      }),

    parseInferRequest: (body, headerLength, options) =>
      tryParse(body, headerLength, NO_LIMIT, options)!,

    tryParseInferRequest: tryParse,

    parseInferRequestAsync: (body, headerLength, budget, options = {}) =>
      callAsync(async () => {
        const parsing = parseArguments(body, headerLength, options);
        const [request, taken] = await native.parseRequestAsync(...parsing, budget.limit);
        try {
          return { request: toRequest(body, await withStrings(native, request)), taken };
        } catch (error) {
          native.giveBytes(taken);
          throw error;
        }
      }),

    byteBudget: (limit) => byteBudget(native, limit),
  };
}
