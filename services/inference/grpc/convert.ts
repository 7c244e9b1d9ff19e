/** @module Converts gRPC messages to the requests and from the outcomes that the REST routes use too. */

import {
  type BodyShare,
  type CodecRequest,
  countPackedStrings,
  type Datatype,
  datatypes,
  elementArrays,
  elementCount,
  invalidArgument,
  type Outcome,
  type Parameters,
  type ParameterValue,
  quote,
  type Tensor,
  type Tensors,
  tensorBytes,
} from '../../../runtime/index.ts';
import { type ResponseForm, refuseSharedMemory, sentOutputs } from '../infer.ts';
import { fromContents, fromRaw, hasField, isFilled, limitVarints, toContents } from './contents.ts';
import type { InferParameter, ModelInferRequest, ModelInferResponse } from './messages.ts';
import { readInt64s } from './varints.ts';

const typeOf = new Map(
  Object.entries(datatypes).map(([type, datatype]) => [datatype as string, type as Tensor['type']]),
);

/** Maximum dimensions of a tensor in the engine. */
const MAX_DIMENSIONS = 16;

/** The parameter by which a client requests that the last response is marked. Here each request has one response. */
const FINAL = 'triton_enable_empty_final_response';

type InputMessage = ModelInferRequest['inputs'][number];

/** Maximum length of an id, characters. It is limited as over HTTP, because the response repeats it. */
const MAX_ID_LENGTH = 64 * 1024;

/**
 * Memory that the tensors need beside the message counts in `share`.
 *
 * @throws {ServeError} `INVALID_ARGUMENT` with a sentence that names the input; also what `share` throws.
 */
export function toCodecRequest(message: ModelInferRequest, share: BodyShare): CodecRequest {
  const { inputs, raw_input_contents: raw, outputs } = message;
  if (raw.length !== 0 && raw.length !== inputs.length) {
    throw invalidArgument(
      `raw_input_contents has ${raw.length} entries for ${inputs.length} inputs: give one for each input or leave them all out.`,
    );
  }
  if (message.id.length > MAX_ID_LENGTH) {
    throw invalidArgument(
      `The id has ${message.id.length} characters: at most ${MAX_ID_LENGTH} are taken.`,
    );
  }
  limitVarints(message);
  const tensors: Record<string, Tensors[string]> = Object.create(null);
  const listed = inputs.map((input, index) => {
    const { name, datatype, parameters } = input;
    if (name in tensors) throw invalidArgument(`Input ${quote(name)} is given twice.`);
    const own = toParameters(parameters);
    refuseSharedMemory('Input', name, own);
    const tensor = toTensor(input, raw[index], share);
    tensors[name] = tensor;
    return { name, datatype: datatype as Datatype, shape: tensor.dims, parameters: own };
  });
  const wanted = outputs.map(({ name, parameters }) => ({
    name,
    parameters: toParameters(parameters),
  }));
  const { [FINAL]: _, ...parameters } = message.parameters;
  return {
    json: {
      id: message.id,
      parameters: toParameters(parameters),
      inputs: listed,
      outputs: wanted.length === 0 ? undefined : wanted,
    },
    tensors,
  };
}

function toTensor(
  input: InputMessage,
  raw: Uint8Array | undefined,
  share: BodyShare,
): Tensors[string] {
  const { name, datatype, contents } = input;
  const type = typeOf.get(datatype);
  if (type === undefined) {
    throw invalidArgument(`Input ${quote(name)} has the unknown datatype ${quote(datatype)}.`);
  }
  const dims = toDims(input);
  if (raw !== undefined && isFilled(contents)) {
    throw invalidArgument(
      `Input ${quote(name)} has contents beside raw_input_contents: send it in one of them.`,
    );
  }
  const data =
    raw === undefined ? fromContents(name, type, contents, share) : fromRaw(name, type, raw);
  const count = countOf(name, type, data);
  const elements = elementCount(dims);
  if (count !== elements) {
    throw invalidArgument(
      `Input ${quote(name)} has ${count} elements, but its shape [${dims}] holds ${elements}.`,
    );
  }
  return { type, dims, data } as Tensors[string];
}

function toDims({ name, shape }: InputMessage): number[] {
  const sizes = readInt64s(shape, MAX_DIMENSIONS);
  if (sizes === undefined) {
    throw invalidArgument(
      `Input ${quote(name)} has more dimensions than the ${MAX_DIMENSIONS} that are supported.`,
    );
  }
  const dims = sizes.map(Number);
  const elements = elementCount(dims);
  if (dims.every((size) => size >= 0) && Number.isSafeInteger(elements)) return dims;
  throw invalidArgument(`Input ${quote(name)} has the shape [${sizes}]: sizes must be 0 or more.`);
}

/** Makes the response. Its contents are typed if those of the request were, because Triton's client reads only raw ones. */
export function toResponse(
  message: ModelInferRequest,
  outcome: Outcome<ResponseForm>,
): ModelInferResponse {
  const outputs = sentOutputs(outcome);
  const typed = message.raw_input_contents.length === 0 && message.inputs.length > 0;
  const raw = !typed || outputs.some(({ tensor }) => !hasField(tensor.type));
  const final = message.parameters[FINAL]?.bool_param === true;
  return {
    model_name: outcome.version.model,
    model_version: outcome.version.version,
    id: outcome.context.id,
    parameters: final ? { triton_final_response: { bool_param: true } } : {},
    outputs: outputs.map(({ name, tensor }) => ({
      name,
      datatype: datatypes[tensor.type],
      shape: tensor.dims,
      ...(raw ? {} : { contents: toContents(tensor) }),
    })),
    raw_output_contents: raw ? outputs.map(({ tensor }) => tensorBytes(tensor)) : [],
  };
}

/** Parameters with the values of their types. */
export function toParameters(given: Readonly<Record<string, InferParameter>>): Parameters {
  const parameters: Record<string, ParameterValue> = Object.create(null);
  for (const [name, parameter] of Object.entries(given)) {
    const value = parameter[parameter.parameter_choice];
    const whole = /^u?int64/.test(parameter.parameter_choice);
    if (value !== undefined) parameters[name] = whole ? exact(String(value)) : value;
  }
  return parameters;
}

/** Converts a 64-bit integer, which the message library passes on as a string. */
function exact(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

/** Returns the number of elements. Strings, and numbers that are not aligned, are bytes. */
function countOf(name: string, type: Tensor['type'], data: ArrayBufferView): number {
  if (type !== 'string') return data.byteLength / sizeOf(type);
  const count = countPackedStrings(data as Uint8Array);
  if (count !== undefined) return count;
  throw invalidArgument(`Input ${quote(name)} ends in the middle of an element.`);
}

const sizeOf = (type: keyof typeof elementArrays) => elementArrays[type].BYTES_PER_ELEMENT;
