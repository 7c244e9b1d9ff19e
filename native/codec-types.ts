/**
 * The public contract of the codec, which parses requests and encodes responses of the Open Inference Protocol V2.
 * Its functions may be called on any JavaScript thread.
 *
 * @module
 */

import type { ElementType, PackedTensor, Tensor, Tensors } from './tensor-types.ts';

/**
 * How NaN and infinities, which JSON does not have, are written: `null` as `JSON.stringify` writes them, `literal`
 * as the words NaN, Infinity and -Infinity as Triton does, `string` as these words in quotes. With `error` they are
 * refused.
 */
export type WrittenNonFinite = 'error' | 'null' | 'literal' | 'string';

/** How they are read: `null` as NaN, the words of `literal`, or `any` of both. With `error` they are refused. */
export type ReadNonFinite = 'error' | 'null' | 'literal' | 'any';

/** The names of the element types in the Open Inference Protocol. */
export interface Datatypes extends Record<ElementType, string> {
  float32: 'FP32';
  float64: 'FP64';
  float16: 'FP16';
  bfloat16: 'BF16';
  int8: 'INT8';
  int16: 'INT16';
  int32: 'INT32';
  int64: 'INT64';
  uint8: 'UINT8';
  uint16: 'UINT16';
  uint32: 'UINT32';
  uint64: 'UINT64';
  bool: 'BOOL';
  string: 'BYTES';
}

export type Datatype = Datatypes[ElementType];

/** 64-bit integers that a number cannot hold exactly are bigints. */
export type ParameterValue = string | number | bigint | boolean;
/** Parameters by name. The object has no prototype, because the client chooses the names. */
export type Parameters = Readonly<Record<string, ParameterValue>>;

/** An input as the JSON of a request describes it. */
export interface InferInput {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly parameters: Parameters;
}

/** An output that a request asks for. */
export interface InferOutput {
  readonly name: string;
  readonly parameters: Parameters;
}

/** A parsed request. */
export interface InferRequest {
  readonly json: {
    /** The request's id, or '' if it has none. */
    readonly id: string;
    readonly parameters: Parameters;
    readonly inputs: readonly InferInput[];
    /** Undefined if the request does not list outputs, which asks for all. */
    readonly outputs: readonly InferOutput[] | undefined;
  };
  /**
   * Tensors by the name of the input. The object has no prototype. Numbers of binary data are views of the body,
   * as packed tensors if they are not aligned there.
   */
  readonly tensors: Tensors;
}

/** A response before it is encoded. */
export interface InferResponse {
  readonly modelName: string;
  readonly modelVersion?: string;
  readonly id?: string | undefined;
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  readonly outputs: readonly {
    readonly name: string;
    readonly tensor: Tensor | PackedTensor;
    /** Whether the elements are written as binary data after the JSON. */
    readonly binary?: boolean;
  }[];
}

export interface EncodedResponse {
  /** The whole body: a string if it is short and only JSON, otherwise bytes. */
  readonly body: string | Uint8Array<ArrayBuffer>;
  /** The bytes of JSON, for `Inference-Header-Content-Length`; undefined if no output is binary. */
  readonly headerLength: number | undefined;
}

export interface ParseRequestOptions {
  /** Default: `error`. */
  nonFinite?: ReadNonFinite;
  /** The most bytes of the whole body. Default: 64 MiB. */
  maxBytes?: number;
  /** The most inputs, and the most outputs. Default: 256. */
  maxTensors?: number;
  /** The most elements of all BYTES inputs together. Default: no limit. */
  maxStrings?: number;
}

/** A limit for the bytes of request bodies that all threads of the process hold together, which are counted once for all. */
export interface ByteBudget {
  /** The most bytes that may be taken at a time. */
  readonly limit: number;
  /** The bytes that are taken at the moment, by any thread and with any limit. */
  readonly taken: number;
  /** Takes bytes. Returns false, and takes nothing, if that would exceed the limit. */
  take(bytes: number): boolean;
  /** Gives taken bytes back. Each byte must be given back once. */
  give(bytes: number): void;
}

/** A request that was parsed on another thread. */
export interface AsyncParseResult {
  readonly request: InferRequest;
  /** The bytes of the budget that its elements take. The caller must give them back. */
  readonly taken: number;
}

export interface EncodeOptions {
  /** Default: `null`. */
  nonFinite?: WrittenNonFinite;
}

/** A piece of JSON: a text that is written as it is, or elements that are written as an array. */
export type JsonPiece = string | Float32Array;

export interface Codec {
  /**
   * Encodes the whole body of a response. Floats have the fewest digits that read back as the same value of their
   * type, integers all their digits; bools are `true` and `false`.
   *
   * @throws {MillraceError} `INVALID_ARGUMENT` if the data of a tensor is not a typed array of its type,
   * `FAILED_PRECONDITION` for NaN and infinities with `nonFinite: 'error'`.
   */
  encodeInferResponse(response: InferResponse, options?: EncodeOptions): EncodedResponse;

  /** Encodes a response on another thread. The tensors must not change until the promise settles. */
  encodeInferResponseAsync(
    response: InferResponse,
    options?: EncodeOptions,
  ): Promise<EncodedResponse>;

  /**
   * Writes pieces one after the other as UTF-8, for responses with many numbers that are not those of the protocol. Floats
   * are written as by `encodeInferResponse`.
   *
   * @throws {MillraceError} `FAILED_PRECONDITION` for NaN and infinities with `nonFinite: 'error'`.
   */
  encodeJson(pieces: readonly JsonPiece[], options?: EncodeOptions): Uint8Array<ArrayBuffer>;

  /** Writes pieces on another thread. The arrays must not change until the promise settles. */
  encodeJsonAsync(
    pieces: readonly JsonPiece[],
    options?: EncodeOptions,
  ): Promise<Uint8Array<ArrayBuffer>>;

  /**
   * Parses a request. The arrays of elements may be nested in any way. Floats are what `JSON.parse` makes of them,
   * rounded to the type; integers are exact.
   *
   * @param headerLength The bytes of JSON at the front of the body, from `Inference-Header-Content-Length`, or -1
   * if the whole body is JSON. A body of raw elements without JSON (0) is not a request that can be parsed.
   * @throws {MillraceError} `INVALID_ARGUMENT` with a sentence for the client, which names the input and says what
   * was expected.
   */
  parseInferRequest(
    body: Uint8Array,
    headerLength: number,
    options?: ParseRequestOptions,
  ): InferRequest;

  /**
   * Parses a request unless that would block the thread for long: returns undefined if it has more than
   * `mostStrings` BYTES elements, because a JavaScript string has to be made of each.
   */
  tryParseInferRequest(
    body: Uint8Array,
    headerLength: number,
    mostStrings: number,
    options?: ParseRequestOptions,
  ): InferRequest | undefined;

  /**
   * Parses a request on another thread. The memory for its elements is taken from the budget. The body must not
   * change until the promise settles.
   *
   * @throws {MillraceError} (as a rejection) as `parseInferRequest`, and `UNAVAILABLE` if the budget is used up at
   * the moment.
   */
  parseInferRequestAsync(
    body: Uint8Array,
    headerLength: number,
    budget: ByteBudget,
    options?: ParseRequestOptions,
  ): Promise<AsyncParseResult>;

  /** Returns a budget of `limit` bytes. Budgets differ only in their limits: all count the same bytes. */
  byteBudget(limit: number): ByteBudget;
}
