/**
 * The contract of `codec.ts`: what goes in and what comes out.
 *
 * @module
 */

import type { ElementData, ElementType, PackedTensor, Tensor, Tensors } from './types.ts';

/**
 * What is written for floats that JSON has no number for: `null` as `JSON.stringify` has it, `literal` the
 * words NaN, Infinity and -Infinity as Triton has it, `string` these words in quotes, `error` nothing.
 */
export type WrittenNonFinite = 'error' | 'null' | 'literal' | 'string';

/** What is read as such a float: `null` as NaN, the words of `literal`, `any` of both, or with `error` nothing. */
export type ReadNonFinite = 'error' | 'null' | 'literal' | 'any';

/** Element types by the names of the Open Inference Protocol. */
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
/** Without a prototype, since a client chooses the names. */
export type Parameters = Readonly<Record<string, ParameterValue>>;

export interface InferInput {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly parameters: Parameters;
}

export interface InferOutput {
  readonly name: string;
  readonly parameters: Parameters;
}

export interface InferRequest {
  readonly json: {
    /** '' where the request has none. */
    readonly id: string;
    readonly parameters: Parameters;
    readonly inputs: readonly InferInput[];
    /** Undefined where the request does not list outputs and so asks for all. */
    readonly outputs: readonly InferOutput[] | undefined;
  };
  /** By the name of the input, without a prototype. Binary numbers are views on the body: packed where it is not aligned for them. */
  readonly tensors: Tensors;
}

export interface InferResponse {
  readonly modelName: string;
  readonly modelVersion?: string;
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  readonly outputs: readonly {
    readonly name: string;
    readonly tensor: Tensor | PackedTensor;
    /** Raw after the JSON instead of in it. */
    readonly binary?: boolean;
  }[];
}

export interface EncodedResponse {
  /** A string where the response is short and all of it JSON, else bytes. */
  readonly body: string | Uint8Array<ArrayBuffer>;
  /** Bytes of JSON, for `Inference-Header-Content-Length`. Undefined where no output is binary. */
  readonly headerLength: number | undefined;
}

export interface ParsedTensor<T extends ElementType> {
  readonly data: ElementData[T];
  /** Sizes of the nested arrays, outermost first. Undefined where arrays of one level differ in size. */
  readonly dims: readonly number[] | undefined;
  /** Offset of the byte after the closing bracket. */
  readonly end: number;
}

export interface ParseOptions {
  /** Default: `error`. */
  nonFinite?: ReadNonFinite;
}

export interface ParseRequestOptions extends ParseOptions {
  /** Most bytes of the whole body. Default: 64 MiB. */
  maxBytes?: number;
  /** Most inputs, and most outputs. Default: 256. */
  maxTensors?: number;
  /** Most elements of all BYTES inputs together. Default: any number. */
  maxStrings?: number;
}

/** Bytes of requests that all threads of the process hold together: one count, whoever asks. */
export interface ByteBudget {
  /** Most bytes that may be taken at once. */
  readonly limit: number;
  /** Bytes that are taken at the moment. */
  readonly taken: number;
  /** Takes bytes; false, and takes none, where that would make more than the limit. */
  take(bytes: number): boolean;
  /** Gives back bytes that were taken, each once. */
  give(bytes: number): void;
}

/** A request that was parsed beside the JavaScript thread. */
export interface ParsedAside {
  readonly request: InferRequest;
  /** Bytes of the budget that its elements took. They are the caller's to give back. */
  readonly taken: number;
}

export interface EncodeOptions {
  /** Default: `null`. */
  nonFinite?: WrittenNonFinite;
}

export interface NormalizeOptions {
  readonly height: number;
  readonly width: number;
  /** One number for each channel (1 to 4), in the order of the planes. */
  readonly mean: readonly number[];
  /** As `mean`; not 0. */
  readonly std: readonly number[];
  /** What a byte is multiplied by before the mean is taken away. Default: 1/255. */
  readonly scale?: number;
  /** Swap the first and the third channel: RGB pixels to BGR planes or back. Default: false. */
  readonly reverse?: boolean;
  /** Where to write height × width × channels floats. Default: a new array. */
  readonly out?: Float32Array;
}

export interface Codec {
  /**
   * A flat JSON array in UTF-8: floats with the fewest digits that read back as the same value of
   * their type, integers in full, bools as `true` and `false`.
   *
   * @throws {MillraceError} `FAILED_PRECONDITION` for NaN or Infinity under `nonFinite: 'error'`.
   */
  encodeTensorData<T extends ElementType>(
    type: T,
    data: ElementData[T],
    options?: EncodeOptions,
  ): Uint8Array<ArrayBuffer>;

  /** The whole body of a response. Throws as `encodeTensorData`. */
  encodeInferResponse(response: InferResponse, options?: EncodeOptions): EncodedResponse;

  /** The same on another thread. The tensors must stay as they are until the promise settles. */
  encodeInferResponseAside(
    response: InferResponse,
    options?: EncodeOptions,
  ): Promise<EncodedResponse>;

  /**
   * Reads the array at `offset`. It may be nested in any way: elements come in the order of the text.
   * Floats are what `JSON.parse` makes of them, rounded to the type; integers are exact.
   *
   * @throws {MillraceError} `INVALID_ARGUMENT` with the position, for text that is not such an array
   * and numbers out of the type's range.
   */
  parseTensorData<T extends ElementType>(
    bytes: Uint8Array,
    offset: number,
    type: T,
    options?: ParseOptions,
  ): ParsedTensor<T>;

  /**
   * Reads a request.
   *
   * @param headerLength Bytes of JSON at the front of the body, from `Inference-Header-Content-Length`;
   * -1 where all of it is. 0, a raw tensor without JSON, has no request to read.
   * @throws {MillraceError} `INVALID_ARGUMENT` with a sentence that names the input and what was
   * expected. The client's fault in every case.
   */
  parseInferRequest(
    body: Uint8Array,
    headerLength: number,
    options?: ParseRequestOptions,
  ): InferRequest;

  /**
   * The same for bodies that would hold the thread for long: undefined where the request has more than
   * `mostStrings` BYTES elements, for each of which a string has to be made.
   */
  tryParseInferRequest(
    body: Uint8Array,
    headerLength: number,
    mostStrings: number,
    options?: ParseRequestOptions,
  ): InferRequest | undefined;

  /**
   * As `parseInferRequest`, on another thread, with memory for the elements that the budget counts. The
   * body must stay as it is until the promise settles.
   *
   * @throws {MillraceError} Also `UNAVAILABLE` where the budget has no room at the moment.
   */
  parseInferRequestAside(
    body: Uint8Array,
    headerLength: number,
    budget: ByteBudget,
    options?: ParseRequestOptions,
  ): Promise<ParsedAside>;

  /** The count of the process with a limit: two budgets differ in nothing else. */
  byteBudget(limit: number): ByteBudget;

  /**
   * (byte × scale - mean) / std of interleaved pixels (HWC), as planes (CHW).
   *
   * @throws {MillraceError} `INVALID_ARGUMENT` for sizes that do not fit each other.
   */
  normalizeImage(pixels: Uint8Array, options: NormalizeOptions): Float32Array;
}
