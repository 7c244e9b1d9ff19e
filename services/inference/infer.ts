/**
 * `POST /v2/models/{model}[/versions/{version}]/infer`: tensors in, tensors out, in JSON or binary.
 * The bodies are read and written by the native codec.
 *
 * @module
 */

import {
  type CancelSignal,
  type Codec,
  type CodecRequest,
  type Parameters,
  ServeError,
  type TensorRequest,
  type TensorResult,
} from '../../runtime/index.ts';
import { classify } from './classification.ts';

/** Where a request goes. */
export interface Target {
  readonly model: string;
  readonly version: string | undefined;
}

/** How one output is to be answered. */
interface WantedOutput {
  readonly name: string;
  readonly binary: boolean;
  /** Most classes to answer instead of the tensor; 0 means the tensor. */
  readonly classes: number;
}

/** What a client asked for. */
export interface InferQuestion {
  readonly request: TensorRequest;
  /** '' where it gave none. */
  readonly id: string;
  /** In the order wanted; undefined means all. */
  readonly outputs: readonly WantedOutput[] | undefined;
  /** Whether outputs that are not listed are answered in binary. */
  readonly binaryByDefault: boolean;
}

export interface InferTerms {
  readonly timeoutMs: number | undefined;
  readonly signal: CancelSignal | undefined;
}

/** @throws {ServeError} `INVALID_ARGUMENT` with what is wrong with the request's parameters. */
export function toQuestion(target: Target, parsed: CodecRequest, terms: InferTerms): InferQuestion {
  const { id, parameters, outputs } = parsed.json;
  const binaryByDefault = flag(parameters, 'binary_data_output') ?? false;
  // An empty list wants as much as none.
  const listed = outputs?.length === 0 ? undefined : outputs;
  const wanted = listed?.map(({ name, parameters: own }): WantedOutput => {
    const classes = whole(own, 'classification') ?? 0;
    return { name, classes, binary: flag(own, 'binary_data') ?? false };
  });
  return {
    request: {
      ...target,
      inputs: parsed.tensors,
      outputs: wanted?.map(({ name }) => name),
      ...scheduling(parameters),
      timeoutMs: terms.timeoutMs,
      signal: terms.signal,
    },
    id,
    outputs: wanted,
    binaryByDefault,
  };
}

/** What a request's parameters say of its turn. @throws {ServeError} `INVALID_ARGUMENT` */
export function scheduling(
  parameters: Parameters,
): Pick<TensorRequest, 'priority' | 'queueTimeoutMs'> {
  refuseReserved(parameters);
  const timeoutUs = whole(parameters, 'timeout') ?? 0;
  return {
    priority: whole(parameters, 'priority'),
    queueTimeoutMs: timeoutUs > 0 ? timeoutUs / 1000 : undefined,
  };
}

/** The outputs as the client wants them, in its order. */
export function toOutputs(question: InferQuestion, { version, outputs }: TensorResult) {
  const { signature, labels } = version;
  const wanted =
    question.outputs ??
    signature.outputs.map(({ name }) => ({ name, binary: question.binaryByDefault, classes: 0 }));
  return wanted.map(({ name, binary, classes }) => {
    const whole = outputs[name]!;
    const { enabled } = signature.batching;
    const tensor = classes === 0 ? whole : classify(name, whole, enabled, classes, labels[name]);
    return { name, binary, tensor };
  });
}

/** The answer's body, and how many bytes of it are JSON if not all. */
export function encodeAnswer(codec: Codec, question: InferQuestion, result: TensorResult) {
  const { model, version } = result.version;
  return codec.encodeInferResponse(
    {
      modelName: model,
      modelVersion: version,
      ...(question.id === '' ? {} : { id: question.id }),
      outputs: toOutputs(question, result),
    },
    { nonFinite: 'literal' },
  );
}

const STATEFUL = ['sequence_id', 'sequence_start', 'sequence_end'];

function refuseReserved(parameters: Parameters): void {
  for (const key of Object.keys(parameters)) {
    if (key.startsWith('triton_')) {
      throw invalid(`The parameter ${key} is reserved; names must not start with triton_.`);
    }
    const value = parameters[key];
    if (STATEFUL.includes(key) && value !== 0 && value !== '' && value !== false) {
      throw invalid(
        `The parameter ${key} is not supported: models keep no state between requests.`,
      );
    }
  }
}

function flag(parameters: Parameters, key: string): boolean | undefined {
  const value = parameters[key];
  if (value === undefined || typeof value === 'boolean') return value;
  throw invalid(`The parameter ${key} must be true or false.`);
}

function whole(parameters: Parameters, key: string): number | undefined {
  const value = parameters[key];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  // Past what a number holds exactly, the nearest is as good.
  if (typeof value === 'bigint' && value >= 0n) return Number(value);
  throw invalid(`The parameter ${key} must be a whole number, 0 or more.`);
}

function invalid(message: string): ServeError {
  return new ServeError('INVALID_ARGUMENT', message);
}

/** Bytes of JSON in front of a binary body; -1 where all of it is JSON. @throws {ServeError} `INVALID_ARGUMENT` */
export function headerLength(given: string | null, bodyLength: number): number {
  if (given === null) return -1;
  const length = /^\d{1,15}$/.test(given) ? Number(given) : -1;
  if (length >= 0 && length <= bodyLength) return length;
  throw invalid(
    `Inference-Header-Content-Length is ${JSON.stringify(given.slice(0, 40))}: expected a whole number from 0 to ${bodyLength}, the length of the body.`,
  );
}
