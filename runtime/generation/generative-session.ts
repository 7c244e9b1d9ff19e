/**
 * A model that generates text behind the surface of any other: its run takes the tokens of a prompt and returns those that
 * follow, so that routes, splits, the cache, jobs and V2 treat it as they do every version.
 *
 * ```
 * input_ids   int64 [1, tokens]   the prompt, or the input of the encoder
 * parameters  string [1]          options of GenerateOptions as JSON; '' or no such input means the model's defaults
 * output_ids     int64 [1, tokens]   without the prompt, the start token and the end
 * finish_reason  string [1]          stop, or length
 * score          float32 [1]         of beam search; otherwise 0
 * ```
 *
 * @module
 */

import { createHash } from 'node:crypto';
import {
  type GenerateOptions,
  type Generation,
  type GenerationResult,
  type GenerativeModel,
  type Model,
  type ModelStats,
  packStrings,
  type RunResult,
  type Signature,
  type Tensor,
  type Tensors,
  unpackStrings,
} from '../../native/index.ts';
import { invalidArgument } from '../errors.ts';
import type { OnTokens, VersionRunOptions } from '../model.ts';
import {
  FINISH_REASON,
  INPUT_IDS,
  OUTPUT_IDS,
  PARAMETERS,
  SCORE,
} from '../text/generation-tensors.ts';
import type { GenerationSettings } from '../text/index.ts';
import { generateOptions } from './parameters.ts';

const spec = (name: string, type: 'int64' | 'string' | 'float32', dims: readonly number[]) => ({
  name,
  type,
  dims,
  symbols: dims.map((size) => (size === -1 ? 'tokens' : '')),
});

const INPUTS = [spec(INPUT_IDS, 'int64', [1, -1]), spec(PARAMETERS, 'string', [1])];
const OUTPUTS = [
  spec(OUTPUT_IDS, 'int64', [1, -1]),
  spec(FINISH_REASON, 'string', [1]),
  spec(SCORE, 'float32', [1]),
];

export class GenerativeSession implements Model {
  readonly signature: Signature;
  /** That of the files and the defaults, because equal inputs give other tokens with other defaults. */
  readonly digest: string;
  /** The one thread that makes its steps. */
  readonly instances = 1;
  readonly intraOpThreads = 1;
  readonly #native: GenerativeModel;
  readonly #defaults: GenerationSettings;
  readonly #maxInput: number;

  /**
   * Takes ownership of `native`, which is closed with this session.
   *
   * @param defaults For options that `parameters` does not have.
   * @param maxRows Most rows of a step, which requests share.
   * @param maxInput Most tokens of the input, where the graphs would take more than there is memory for.
   */
  constructor(
    native: GenerativeModel,
    defaults: GenerationSettings,
    maxRows: number,
    maxInput = Number.POSITIVE_INFINITY,
  ) {
    this.#native = native;
    this.#defaults = defaults;
    this.#maxInput = maxInput;
    const { digest } = native;
    this.digest = createHash('sha256')
      .update(digest)
      .update(JSON.stringify(defaults))
      .digest('hex');
    const batching = { enabled: false, maxRows, reason: '' };
    this.signature = { inputs: INPUTS, outputs: OUTPUTS, batching };
  }

  get name(): string {
    return this.#native.name;
  }

  get device(): string {
    return this.#native.device;
  }

  get report() {
    return this.#native.report;
  }

  get closed(): boolean {
    return this.#native.closed;
  }

  async run(inputs: Tensors, options: VersionRunOptions = {}): Promise<RunResult> {
    const { timeoutMs, signal, priority, onTokens } = options;
    const ids = readIds(inputs);
    if (ids.length > this.#maxInput) throw tooLong(ids.length, this.#maxInput);
    const { encoderDecoder, maxPositions } = this.#native.signature;
    const place = { before: encoderDecoder ? 1 : ids.length, positions: maxPositions };
    const generate: GenerateOptions = {
      ...generateOptions(readParameters(inputs), this.#defaults, place),
      stream: onTokens !== undefined,
    };
    if (timeoutMs !== undefined) generate.timeoutMs = timeoutMs;
    if (signal !== undefined) generate.signal = signal;
    if (priority !== undefined) generate.priority = priority;
    const generation = this.#native.generate(ids, generate);
    const result =
      onTokens === undefined ? await generation.result : await streamed(generation, onTokens);
    return toRunResult(result, options);
  }

  stats(): ModelStats {
    return this.#native.stats();
  }

  close(): Promise<void> {
    return this.#native.close();
  }
}

const tooLong = (length: number, most: number) =>
  invalidArgument(
    `The input '${INPUT_IDS}' has ${length} tokens, but the model reads at most ${most}; send fewer.`,
  );

/** Passes tokens on until the end, or until the receiver stops the generation. */
async function streamed(generation: Generation, onTokens: OnTokens): Promise<GenerationResult> {
  const began = performance.now();
  const all: Int32Array[] = [];
  let isStopped = false;
  const stop = () => {
    isStopped = true;
  };
  for await (const tokens of generation) {
    all.push(tokens);
    onTokens(tokens, stop);
    // Leaving the loop cancels the generation.
    if (isStopped) break;
  }
  return isStopped ? stoppedResult(all, performance.now() - began) : generation.result;
}

/** The result of a generation that its receiver has stopped, for which the engine has none. */
function stoppedResult(parts: readonly Int32Array[], elapsedMs: number): GenerationResult {
  const tokens = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    tokens.set(part, at);
    at += part.length;
  }
  const unknown = { queueMs: 0, prefillMs: 0, decodeMs: elapsedMs, batchRows: 1, batchRequests: 1 };
  const timings = { ...unknown, computeMs: elapsedMs };
  return { tokens, finishReason: 'stop', score: undefined, timings, steps: tokens.length };
}

/** @throws {ServeError} `INVALID_ARGUMENT` */
function readIds(inputs: Tensors): BigInt64Array {
  for (const name of Object.keys(inputs)) {
    if (name === INPUT_IDS || name === PARAMETERS) continue;
    throw invalidArgument(
      `The model has no input '${name}'; its inputs are '${INPUT_IDS}' and '${PARAMETERS}'.`,
    );
  }
  const ids = inputs[INPUT_IDS];
  if (ids === undefined) throw invalidArgument(`The input '${INPUT_IDS}' is missing.`);
  const { type, dims, data } = ids;
  if (type !== 'int64' || dims.length !== 2 || dims[0] !== 1) {
    throw invalidArgument(
      `The input '${INPUT_IDS}' must be int64 with the shape [1, tokens], one sequence, but is ${type} with [${dims}].`,
    );
  }
  if (data instanceof BigInt64Array) {
    if (data.length === dims[1]) return data;
  } else if (data instanceof Uint8Array && data.byteLength === dims[1]! * 8) {
    // The bytes of a message begin anywhere.
    return new BigInt64Array(Uint8Array.from(data).buffer);
  }
  throw invalidArgument(
    `The input '${INPUT_IDS}' does not hold the ${dims[1]} tokens of its shape.`,
  );
}

/** '' if there are none. @throws {ServeError} `INVALID_ARGUMENT` */
function readParameters(inputs: Tensors): string {
  const parameters = inputs[PARAMETERS];
  if (parameters === undefined) return '';
  const { type, dims, data } = parameters;
  if (type === 'string' && dims.length === 1 && dims[0] === 1) {
    const [text] =
      data instanceof Uint8Array ? (unpackStrings(data) ?? []) : (data as readonly string[]);
    // Bytes that are not UTF-8 are no JSON either, which the parser says.
    if (text !== undefined) return typeof text === 'string' ? text : new TextDecoder().decode(text);
  }
  throw invalidArgument(
    `The input '${PARAMETERS}' must be one string with the shape [1], the JSON of an object.`,
  );
}

function toRunResult(
  { tokens, finishReason, score, timings }: GenerationResult,
  { outputs: wanted, packStrings: packs = false }: VersionRunOptions,
): RunResult {
  const reason: Tensor = { type: 'string', dims: [1], data: [finishReason] };
  const all: Record<string, Tensor> = {
    [OUTPUT_IDS]: {
      type: 'int64',
      dims: [1, tokens.length],
      data: BigInt64Array.from(tokens, BigInt),
    },
    [FINISH_REASON]: reason,
    [SCORE]: { type: 'float32', dims: [1], data: Float32Array.of(score ?? 0) },
  };
  for (const name of wanted ?? []) {
    if (Object.hasOwn(all, name)) continue;
    throw invalidArgument(
      `The model has no output '${name}'; it has ${Object.keys(all).join(', ')}.`,
    );
  }
  const names = wanted ?? Object.keys(all);
  const outputs = Object.fromEntries(names.map((name) => [name, all[name]!]));
  if (!packs || !names.includes(FINISH_REASON)) return { outputs, timings };
  const { [FINISH_REASON]: _, ...rest } = outputs;
  const packed = { type: 'string', dims: [1], data: packStrings([finishReason]) } as const;
  return { outputs: rest, packedStrings: { [FINISH_REASON]: packed }, timings };
}
