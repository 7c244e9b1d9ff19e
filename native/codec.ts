/**
 * Tensors to and from JSON, requests and responses of the Open Inference Protocol V2, and pixels to
 * planes, done natively: large arrays never become arrays of JavaScript numbers.
 *
 * @module
 */

import { fromAddon, loadAddon } from './binding.ts';
import {
  byteBudget,
  type NativeAside,
  type RawData,
  type RawParameters,
  type RawRequest,
  withStrings,
} from './codec-aside.ts';
import type {
  Codec,
  Datatypes,
  InferInput,
  InferRequest,
  InferResponse,
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
import type { ElementData, ElementType, PackedTensor, Tensor, Tensors } from './types.ts';

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

/** Numbers of ONNX's TensorProto.DataType, as in batching/tensor.h. */
const numbers: Readonly<Record<ElementType, number>> = {
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
const raw = 0;
/** Any number of things. */
const ANY = Number.MAX_SAFE_INTEGER;
const typeOf = new Map(Object.entries(numbers).map(([type, n]) => [n, type as ElementType]));

/** Numbers of the enum `NonFinite` in codec/json_cursor.h. */
const policies: Readonly<Record<ReadNonFinite | WrittenNonFinite, number>> = {
  error: 0,
  null: 1,
  literal: 2,
  string: 3,
  any: 4,
};

interface NativeCodec extends NativeAside {
  encode(nonFinite: number, ...parts: readonly unknown[]): ArrayBuffer;
  parseTensor(
    bytes: Uint8Array,
    offset: number,
    type: number,
    nonFinite: number,
  ): readonly [ArrayBuffer | readonly string[], number, readonly number[] | null];
  parseRequest(
    body: Uint8Array,
    headerLength: number,
    nonFinite: number,
    maxBytes: number,
    maxTensors: number,
    maxStrings: number,
    mostStringsHere: number,
  ): RawRequest | null;
  readonly parseFlat: ParseFlat;
  elementsText(nonFinite: number, type: number, data: ArrayBufferView): string;
  mapPixels(
    pixels: Uint8Array,
    height: number,
    width: number,
    scale: number,
    mean: Float32Array,
    std: Float32Array,
    reverse: number,
    planes: Float32Array,
  ): boolean;
}

function invalid(message: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', message);
}

/** What `encode` takes for a tensor's elements. Strings are the engine's own strength. */
function jsonParts(type: ElementType, data: ElementData[ElementType]): unknown[] {
  if (type === 'string') {
    return data instanceof Uint8Array ? [numbers.string, data] : [JSON.stringify(data)];
  }
  const elements = type === 'float16' ? withoutHalfArray(data) : data;
  if (!(elements instanceof elementArrays[type as Exclude<ElementType, 'string'>])) {
    throw invalid(`The data is not a typed array for ${type}`);
  }
  return [numbers[type], elements];
}

/** A tensor's elements as the protocol's binary data: little-endian, texts each after its length. */
export function tensorBytes({ data }: Tensor | PackedTensor): Uint8Array {
  if (!ArrayBuffer.isView(data)) return packStrings(data);
  const { buffer, byteOffset, byteLength } = data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A string in JSON. Names seldom hold anything to escape, which a look finds out faster. */
const jsonString = (text: string): string =>
  /^[\w .:/-]*$/.test(text) ? `"${text}"` : JSON.stringify(text);

/** Elements whose text is one string, which a response is put together of faster than of bytes. */
const FEW_ELEMENTS = 64;

/** The response as a string; undefined where it is not a small one that is all JSON. */
function smallResponse(
  native: NativeCodec,
  { modelName, modelVersion, id, parameters, outputs }: InferResponse,
  nonFinite: number,
): string | undefined {
  const small = outputs.every(
    ({ tensor, binary }) =>
      !binary && tensor.type !== 'string' && tensor.data.length <= FEW_ELEMENTS,
  );
  if (!small || outputs.length > FEW_ELEMENTS) return undefined;
  let text = `{"model_name":${jsonString(modelName)}`;
  if (modelVersion !== undefined) text += `,"model_version":${jsonString(modelVersion)}`;
  if (id !== undefined) text += `,"id":${jsonString(id)}`;
  if (parameters !== undefined) text += `,"parameters":${JSON.stringify(parameters)}`;
  let separator = ',"outputs":[';
  for (const { name, tensor } of outputs) {
    const { type, dims, data } = tensor;
    const elements = native.elementsText(nonFinite, numbers[type], data as ArrayBufferView);
    text += `${separator}{"name":${jsonString(name)},"datatype":"${datatypes[type]}","shape":[${dims}],"data":${elements}}`;
    separator = ',';
  }
  return outputs.length === 0 ? `${text},"outputs":[]}` : `${text}]}`;
}

/** The answer as parts for `encode`: text, then the tensor it introduces, and binary data last. */
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
  parts.push(`${text}]}`, ...blobs.flatMap((blob) => [raw, blob]));
  return { parts, binaryBytes: blobs.map((blob) => blob.length) };
}

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

/** The limits of a parse, as the addon takes them. */
function parseLimits(options: ParseRequestOptions): [number, number, number, number] {
  const { nonFinite = 'error', maxBytes = 64 * 2 ** 20, maxTensors = 256 } = options;
  return [policies[nonFinite], maxBytes, maxTensors, options.maxStrings ?? ANY];
}

function toEncoded(buffer: ArrayBuffer, binaryBytes: readonly number[]) {
  const body = new Uint8Array(buffer);
  const blobs = binaryBytes.reduce((sum, size) => sum + size, 0);
  return { body, headerLength: blobs === 0 ? undefined : body.length - blobs };
}

/**
 * The codecs, which keep no state but the process's count of bytes.
 *
 * @throws {MillraceError} `NOT_FOUND` or `FAILED_PRECONDITION` where the addon cannot be loaded.
 */
export function openCodec(options: { readonly addon?: string } = {}): Codec {
  const native = loadAddon(options.addon) as unknown as NativeCodec;
  const flats = new FlatRequests(native.parseFlat, typeOf, datatypes);
  const call = <T>(operation: () => T): T => {
    try {
      return operation();
    } catch (cause) {
      throw fromAddon(cause);
    }
  };
  const tryParse: Codec['tryParseInferRequest'] = (body, headerLength, most, options = {}) =>
    call(() => {
      const limits = parseLimits(options);
      const [nonFinite, maxBytes, maxTensors] = limits;
      const small = headerLength === -1 && body.length <= maxBytes;
      const flat = small ? flats.read(body, nonFinite, maxTensors) : undefined;
      if (flat !== undefined) return flat;
      const parsed = native.parseRequest(body, headerLength, ...limits, most);
      return parsed === null ? undefined : toRequest(body, parsed);
    });
  const callAside = <T>(operation: () => Promise<T>): Promise<T> =>
    operation().catch((cause) => {
      throw fromAddon(cause);
    });
  return {
    encodeTensorData: (type, data, { nonFinite = 'null' } = {}) =>
      call(() => new Uint8Array(native.encode(policies[nonFinite], ...jsonParts(type, data)))),

    encodeInferResponse: (response, { nonFinite = 'null' } = {}) =>
      call(() => {
        const text = smallResponse(native, response, policies[nonFinite]);
        if (text !== undefined) return { body: text, headerLength: undefined };
        const { parts, binaryBytes } = responseParts(response);
        return toEncoded(native.encode(policies[nonFinite], ...parts), binaryBytes);
      }),

    encodeInferResponseAside: (response, { nonFinite = 'null' } = {}) =>
      callAside(async () => {
        const { parts, binaryBytes } = responseParts(response);
        return toEncoded(await native.encodeAsync(policies[nonFinite], ...parts), binaryBytes);
      }),

    parseTensorData: (bytes, offset, type, { nonFinite = 'error' } = {}) =>
      call(() => {
        const [data, end, dims] = native.parseTensor(
          bytes,
          offset,
          numbers[type],
          policies[nonFinite],
        );
        return {
          data: toData(bytes, type, data, 0) as ElementData[typeof type],
          dims: dims ?? undefined,
          end,
        };
      }),

    parseInferRequest: (body, headerLength, options) => tryParse(body, headerLength, ANY, options)!,

    tryParseInferRequest: tryParse,

    parseInferRequestAside: (body, headerLength, budget, options = {}) =>
      callAside(async () => {
        const limits = parseLimits(options);
        const [request, taken] = await native.parseRequestAsync(
          body,
          headerLength,
          ...limits,
          budget.limit,
        );
        return { request: toRequest(body, await withStrings(native, request)), taken };
      }),

    byteBudget: (limit) => byteBudget(native, limit),

    normalizeImage: (pixels, { height, width, mean, std, scale = 1 / 255, ...rest }) => {
      const { reverse = false, out = new Float32Array(pixels.length) } = rest;
      const channels = mean.length;
      const fits =
        channels >= 1 &&
        channels <= 4 &&
        std.length === channels &&
        native.mapPixels(
          pixels,
          height,
          width,
          scale,
          Float32Array.from(mean),
          Float32Array.from(std),
          reverse ? 1 : 0,
          out,
        );
      if (fits) return out;
      throw invalid(
        `An image of ${height} × ${width} × ${channels} bytes cannot be made from ` +
          `${pixels.length} bytes with ${std.length} deviations into ${out.length} floats`,
      );
    },
  };
}
