/**
 * The public contract of text generation: models that make tokens one after another, with a cache of keys and values
 * that stays in native memory. A fake engine for tests implements the same interfaces.
 *
 * @module
 */

import type { DeviceOptions, DeviceReport } from './device-types.ts';
import type { CancelSignal, Timings } from './run-types.ts';
import type { ModelStats } from './types.ts';

export interface GeneratorOptions {
  /**
   * The file of the decoder, as optimum and transformers.js export it: `decoder_model_merged.onnx` or, with
   * `decoderWithPast`, `decoder_model.onnx` of an encoder–decoder model, and `model.onnx` or
   * `decoder_model_merged.onnx` of a decoder-only model.
   */
  decoder: string;
  /** The file of the decoder's later steps (`decoder_with_past_model.onnx`), if `decoder` has only the first one. */
  decoderWithPast?: string;
  /** The file of the encoder (`encoder_model.onnx`). It is what makes a model an encoder–decoder model. */
  encoder?: string;
  /** The name in messages and statistics. Default: the name of the decoder's file. */
  name?: string;
  /** As for `Engine.load`, without `cuda:all` and `tensorrt`. Default: `cpu`. */
  device?: string;
  /** Options of the device. An option that the device does not have is refused. */
  deviceOptions?: DeviceOptions;
  /** Options of the execution provider by ONNX Runtime's keys. They override `deviceOptions`. */
  providerOptions?: Readonly<Record<string, string | number | boolean>>;
  /** ONNX Runtime's intra-op threads in each step. Default: the cores that are left beside the JavaScript threads. */
  intraOpThreads?: number;
  /** The most rows in a step. A request has one row, or `numBeams` with beam search. Default: 32. */
  maxRows?: number;
  /** The most prompt tokens in a step, so that a long prompt does not delay running requests for long. Default: 512. */
  maxPrefillTokens?: number;
  /**
   * The most memory for keys and values of all requests together, bytes. A request reserves the most that it can need
   * before it starts, and waits until there is room. Default: 1 GiB.
   */
  cacheBytes?: number;
  /** The most waiting requests; one more is refused with `UNAVAILABLE`. Default: 1024. */
  maxQueue?: number;
  /** The longest time of a step, milliseconds. After it the step is terminated and its requests fail. Default: no limit. */
  runLimitMs?: number;
  /** The share of the device's time, relative to the other models on it, when they compete. Default: 1. */
  weight?: number;
  /**
   * The most positions of the decoder's sequence, of which the model's configuration tells (`n_positions`,
   * `max_position_embeddings`). A longer generation is refused. Default: it is not known, and the model fails.
   */
  maxPositions?: number;
  /** The same for the input of an encoder. */
  maxEncoderPositions?: number;
  /** A folder for private copies of external data while the model loads. Default: the system's temporary folder. */
  cacheDir?: string;
}

/** What a generative model is, as its files show. */
export interface GenerativeSignature {
  /** Whether the input is read by an encoder; otherwise it is the beginning of the decoder's sequence. */
  readonly encoderDecoder: boolean;
  /** The number of token ids, which are 0 to `vocabulary - 1`. */
  readonly vocabulary: number;
  /** The most positions of the decoder's sequence, or undefined if the files do not say. */
  readonly maxPositions: number | undefined;
  /** The keys and values of one token of one row, bytes. */
  readonly cacheBytesPerToken: number;
  /** Whether sequences of different lengths share a step; otherwise only those of equal lengths do. */
  readonly mixedLengths: boolean;
}

/** How a sequence is continued. Names and meanings are those of `generate()` in transformers, in camel case. */
export interface GenerateOptions {
  /** The most tokens that are generated. Default: 128. */
  maxNewTokens?: number;
  /** No end-of-sequence token is generated before this many tokens. Default: 0. */
  minNewTokens?: number;
  /** 1 (default) is greedy search or sampling, more is beam search. Beam search does not sample. */
  numBeams?: number;
  /** The exponent of the length by which beam search divides scores; above 0 it prefers long sequences. Default: 1. */
  lengthPenalty?: number;
  /**
   * When beam search ends: `true` as soon as there are `numBeams` finished sequences, `false` (default) when an estimate
   * finds better ones unlikely, and `'never'` when there cannot be any.
   */
  earlyStopping?: boolean | 'never';
  /** Draw tokens at random instead of the most likely one. Default: false. */
  doSample?: boolean;
  /** Logits are divided by it before sampling, above 0. Default: 1. */
  temperature?: number;
  /** Sample from this many of the most likely tokens; 0 from all. Default: 50. */
  topK?: number;
  /** Sample from the most likely tokens whose probabilities reach this sum, above 0 and at most 1. Default: 1. */
  topP?: number;
  /** Equal seeds give equal tokens, whatever else runs: a whole number from 0 to 2^53 − 1. Default: a new one each time. */
  seed?: number;
  /** Tokens that are in the sequence become less likely above 1, and more likely below. Default: 1. */
  repetitionPenalty?: number;
  /** No sequence of this many tokens is generated twice; 0 (default) allows all. */
  noRepeatNgramSize?: number;
  /** No sequence of this many tokens of the encoder's input is generated; 0 (default) allows all. */
  encoderNoRepeatNgramSize?: number;
  /** The tokens that end a sequence. Default: none, so that every sequence has `maxNewTokens` tokens. */
  eosTokenIds?: number | readonly number[];
  /** The token that fills shorter sequences. Default: the first of `eosTokenIds`, or 0. */
  padTokenId?: number;
  /** The token from which the decoder of an encoder–decoder model starts. It has to be given for such a model. */
  decoderStartTokenId?: number;
  /** The first token that is generated. Default: none is forced. */
  forcedBosTokenId?: number;
  /** The last token if the sequence reaches `maxNewTokens`. Default: none is forced. */
  forcedEosTokenId?: number;
  /** Tokens that are never generated. Default: []. */
  suppressTokens?: readonly number[];
  /** Tokens that are not generated first. Default: []. */
  beginSuppressTokens?: readonly number[];
  /** Sequences of tokens that are never generated. Default: []. */
  badWordsIds?: readonly (readonly number[])[];
  /**
   * Deliver tokens as they are made, instead of all of them at the end. Beam search delivers at the end in any case.
   * Default: true.
   */
  stream?: boolean;
  /** The time allowed, milliseconds. When it has passed, the generation fails with `DEADLINE_EXCEEDED`. */
  timeoutMs?: number;
  /** Aborting it fails the generation with the signal's reason. */
  signal?: CancelSignal;
  /** 0 (default) is the most urgent level, 255 the least. */
  priority?: number;
}

export interface GenerationTimings extends Timings {
  /** From the start of the request's first step to its first token, milliseconds. */
  readonly prefillMs: number;
  /** From the first token to the last, milliseconds. */
  readonly decodeMs: number;
}

export interface GenerationResult {
  /** The generated tokens, without the prompt, the decoder's start token and the end-of-sequence token. */
  readonly tokens: Int32Array;
  /** `stop`: a token of `eosTokenIds` came. `length`: there are `maxNewTokens` tokens, or the last was forced. */
  readonly finishReason: 'stop' | 'length';
  /** With beam search, the sum of log probabilities divided by the length penalty; otherwise undefined. */
  readonly score: number | undefined;
  /** `batchRows` and `batchRequests` are those of its largest step. */
  readonly timings: GenerationTimings;
  /** The steps of the decoder in which the request took part. */
  readonly steps: number;
}

/**
 * A generation in progress. Iterating it yields its tokens in order: those that have arrived since the last turn of the
 * loop, at least one. Each iteration starts at the first token. If the generation fails, the iteration yields the tokens
 * that had arrived, and then throws. Leaving an iteration early cancels the generation.
 *
 * Nothing is reported as an unhandled rejection, so that a caller may use `result`, the iteration, or both.
 */
export interface Generation extends AsyncIterable<Int32Array> {
  /**
   * All tokens, once the generation has ended.
   *
   * @throws {MillraceError} (as a rejection) `INVALID_ARGUMENT` if the tokens or an option do not fit the model,
   * `UNAVAILABLE` if the queue is full, `DEADLINE_EXCEEDED`, `CANCELLED` after `cancel()` and after an iteration that
   * was left early, `RESOURCE_EXHAUSTED` if memory runs out, `FAILED_PRECONDITION` after `close()`, and `INTERNAL` if a
   * step fails. If the signal aborts, it rejects with the signal's reason.
   */
  readonly result: Promise<GenerationResult>;
  /** Ends the generation at once. Its last step may still run, but nothing of it is delivered. Idempotent. */
  cancel(): void;
}

/** Counters of a generative model, over all threads. `batches` counts the runs of decoder and encoder, and `rows` their rows. */
export interface GeneratorStats extends ModelStats {
  /** The tokens that were generated. */
  readonly tokens: number;
  /** The prompt tokens, and those of the encoder's input, that were computed. */
  readonly promptTokens: number;
  /** The runs of the decoder. */
  readonly steps: number;
  /** The memory that running requests have reserved for keys and values, bytes. */
  readonly cacheBytes: number;
  /** The option `cacheBytes`. */
  readonly cacheBytesLimit: number;
  /** The most that was ever reserved, bytes. */
  readonly cacheBytesPeak: number;
  /** The keys and values that were copied because rows joined, left or changed their order, bytes. */
  readonly copiedBytes: number;
  /** Steps that passed all keys and values on as they were. */
  readonly stepsWithoutCopies: number;
}

/** A loaded generative model. Like a `Model`, it belongs to the JavaScript thread that loaded it, and shares its session. */
export interface GenerativeModel {
  readonly name: string;
  /** SHA-256 of the digests of its files, hexadecimal. */
  readonly digest: string;
  /** The device on which it runs, such as `cuda:0`. */
  readonly device: string;
  /** What the load found out about the device. */
  readonly report: DeviceReport;
  readonly signature: GenerativeSignature;
  readonly closed: boolean;
  /**
   * Continues one sequence of token ids: the prompt or, for an encoder–decoder model, the encoder's input, with the
   * special tokens that the model expects. It never throws: errors are reported by the `Generation`.
   */
  generate(inputIds: ArrayLike<number> | BigInt64Array, options?: GenerateOptions): Generation;
  /** @throws {MillraceError} `FAILED_PRECONDITION` after `close()`. */
  stats(): GeneratorStats;
  /** Refuses new requests, completes the accepted ones, and then releases the model. Idempotent. */
  close(): Promise<void>;
}
