/**
 * The steps of an infer request of the protocol, the same over REST and gRPC: reading its parameters,
 * and choosing the outputs of the response and their form.
 *
 * @module
 */

import {
  type CodecRequest,
  invalidArgument,
  type NonFinite,
  type Outcome,
  type PackedTensor,
  type Parameters,
  type Prepared,
  quote,
  type RouteContext,
  type Tensor,
  toNonFinite,
} from '../../runtime/index.ts';
import { classify } from './classification.ts';
import { joinRows } from './join-rows.ts';

/** The model of a request, and its version if the client names one. */
export interface Target extends RouteContext {
  readonly model: string;
}

/** A requested output and its form. */
interface WantedOutput {
  readonly name: string;
  readonly binary: boolean;
  /** Maximum classes to send instead of the tensor; 0 means the tensor. */
  readonly classes: number;
}

/** The form of the response, as the request sets it. */
export interface ResponseForm {
  /** '' if the request has none. */
  readonly id: string;
  /** In the requested order; undefined means all. */
  readonly outputs: readonly WantedOutput[] | undefined;
  /** Whether outputs that are not listed are sent in binary. */
  readonly binaryByDefault: boolean;
  /** How NaN and the infinities are written in JSON. */
  readonly nonFinite: NonFinite;
  /** Set for a request with encoded images, which has a run for each: whether dimension 0 of the outputs is theirs. */
  readonly images?: { readonly areRows: boolean };
}

/** An output as it is sent. */
export interface SentOutput {
  readonly name: string;
  readonly binary: boolean;
  readonly tensor: Tensor | PackedTensor;
}

/** @throws {ServeError} `INVALID_ARGUMENT` with what is wrong with the request's parameters. */
export function prepareInfer({ json, tensors }: CodecRequest): Prepared<ResponseForm> {
  const { id, parameters, outputs } = json;
  const nonFinite = toNonFinite(parameters.non_finite, 'literal');
  const binaryByDefault = flag(parameters, 'binary_data_output') ?? false;
  // An empty list means the same as no list.
  const listed = outputs?.length === 0 ? undefined : outputs;
  const wanted = listed?.map(({ name, parameters: own }): WantedOutput => {
    refuseSharedMemory('Output', name, own);
    const classes = whole(own, 'classification') ?? 0;
    return { name, classes, binary: flag(own, 'binary_data') ?? false };
  });
  const { priority, queueTimeoutMs } = scheduling(parameters);
  return {
    runs: [tensors],
    outputs: wanted?.map(({ name }) => name),
    packStrings: true,
    priority,
    queueTimeoutMs,
    context: { id, outputs: wanted, binaryByDefault, nonFinite },
  };
}

/** The priority and the queue timeout in a request's parameters. @throws {ServeError} `INVALID_ARGUMENT` */
export function scheduling(
  parameters: Parameters,
): Pick<Prepared<unknown>, 'priority' | 'queueTimeoutMs'> {
  refuseReserved(parameters);
  const timeoutUs = whole(parameters, 'timeout') ?? 0;
  return {
    priority: whole(parameters, 'priority'),
    queueTimeoutMs: timeoutUs > 0 ? timeoutUs / 1000 : undefined,
  };
}

/** The outputs in the requested form and order. */
export function sentOutputs({ version, results, context }: Outcome<ResponseForm>): SentOutput[] {
  const { signature, labels } = version;
  const { images } = context;
  const { outputs, packedStrings } = images === undefined ? results[0]! : joinRows(results);
  const tensorOf = (name: string) => outputs[name] ?? packedStrings![name]!;
  if (context.outputs === undefined) {
    const binary = context.binaryByDefault;
    return signature.outputs.map(({ name }) => ({ name, binary, tensor: tensorOf(name) }));
  }
  return context.outputs.map(({ name, binary, classes }) => {
    const tensor = tensorOf(name);
    if (classes === 0) return { name, binary, tensor };
    const batched = images?.areRows ?? signature.batching.enabled;
    return { name, binary, tensor: classify(name, tensor, batched, classes, labels[name]) };
  });
}

const STATEFUL = ['sequence_id', 'sequence_start', 'sequence_end'];

function refuseReserved(parameters: Parameters): void {
  for (const key of Object.keys(parameters)) {
    if (key.startsWith('triton_')) {
      throw invalidArgument(
        `The parameter ${quote(key)} is reserved; names must not start with triton_.`,
      );
    }
    const value = parameters[key];
    if (STATEFUL.includes(key) && value !== 0 && value !== '' && value !== false) {
      throw invalidArgument(
        `The parameter ${key} is not supported: models keep no state between requests.`,
      );
    }
  }
}

const SHARED_MEMORY = 'shared_memory_';

/** @throws {ServeError} `INVALID_ARGUMENT` if the parameters of an input or output place it in shared memory. */
export function refuseSharedMemory(kind: string, name: string, parameters: Parameters): void {
  for (const key in parameters) {
    if (!key.startsWith(SHARED_MEMORY)) continue;
    throw invalidArgument(
      `${kind} ${quote(name)} is to be in shared memory, which is not supported; send tensors with the request and its response.`,
    );
  }
}

function flag(parameters: Parameters, key: string): boolean | undefined {
  const value = parameters[key];
  if (value === undefined || typeof value === 'boolean') return value;
  throw invalidArgument(`The parameter ${key} must be true or false.`);
}

function whole(parameters: Parameters, key: string): number | undefined {
  const value = parameters[key];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  // Beyond the integers that a number holds exactly, the nearest number is good enough.
  if (typeof value === 'bigint' && value >= 0n) return Number(value);
  throw invalidArgument(`The parameter ${key} must be a whole number, 0 or more.`);
}
