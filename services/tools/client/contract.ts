/**
 * The interface for callers of models, which is the same over HTTP (`createClient`) and in process
 * (`createEngine`).
 *
 * @module
 */

import type { ElementData, ElementType, ServeCode } from '../../../runtime/index.ts';

/**
 * A dense row-major tensor of one type. `data` holds exactly as many elements as the product of `dims`. 16-bit
 * floats are raw bit patterns; bools are one byte each.
 */
export interface TensorOf<T extends ElementType, Dims extends readonly number[]> {
  readonly type: T;
  readonly dims: Dims;
  readonly data: ElementData[T];
}

/** A tensor of any type. */
export type AnyTensor = {
  [T in ElementType]: TensorOf<T, readonly number[]>;
}[ElementType];

/** The inputs and outputs of a model, by name. `millrace codegen` generates these types for the models of a server. */
export interface ModelTypes {
  readonly inputs: object;
  readonly outputs: object;
}

/** Models whose inputs and outputs are not known at compile time. */
export interface AnyModels {
  readonly [model: string]: {
    readonly inputs: Readonly<Record<string, AnyTensor>>;
    readonly outputs: Readonly<Record<string, AnyTensor>>;
  };
}

type Models<M> = { readonly [Name in keyof M]: ModelTypes };

export interface InferOptions<Outputs> {
  /** Default: the server's choice. */
  readonly version?: string;
  /** Names of the requested outputs. Default: all. */
  readonly outputs?: readonly (keyof Outputs & string)[];
  /** 1 is the most urgent. 0 or undefined means the model's default. */
  readonly priority?: number;
  /** Maximum time until the response, including all attempts, milliseconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The response repeats it, and the server logs it. */
  readonly id?: string;
}

export interface InferResponse<Outputs> {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
  readonly outputs: Outputs;
}

export interface TensorMetadata {
  readonly name: string;
  readonly type: ElementType;
  /** -1 means any size. */
  readonly dims: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** @typeParam M The types of the models, as `millrace codegen` generates them. */
export interface Inference<M extends Models<M> = AnyModels> {
  /**
   * Runs a model.
   *
   * @throws {InferenceError} whose `code` says what went wrong.
   */
  infer<Name extends keyof M & string>(
    model: Name,
    inputs: M[Name]['inputs'],
    options?: InferOptions<M[Name]['outputs']>,
  ): Promise<InferResponse<M[Name]['outputs']>>;
  /** Names of the served models. */
  models(): Promise<readonly string[]>;
  /** @throws {InferenceError} `MODEL_NOT_FOUND`, `VERSION_NOT_FOUND` */
  metadata(model: keyof M & string, version?: string): Promise<ModelMetadata>;
  /** Whether the named model is ready, or all models if none is named. */
  ready(model?: keyof M & string): Promise<boolean>;
  /** Releases its resources. Idempotent. */
  close(): Promise<void>;
}

export type InferenceCode =
  | ServeCode
  /** There was no response: the server could not be reached, or the connection broke. */
  | 'UNREACHABLE'
  /** There was a response that does not follow the protocol. */
  | 'BAD_RESPONSE';

/** The error with which a call of the client fails. */
export class InferenceError extends Error {
  override readonly name = 'InferenceError';
  readonly code: InferenceCode;
  /** The milliseconds after which to try again, if they are known. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: InferenceCode,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}
