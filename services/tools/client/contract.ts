/**
 * What a caller of models works with, the same over the wire (`createClient`) and in process
 * (`createEngine`).
 *
 * @module
 */

import type { ElementData, ElementType, ServeCode } from '../../../runtime/index.ts';

/**
 * A dense row-major tensor of one type. `data` holds exactly the product of `dims` elements; 16-bit floats are
 * their raw bit patterns, bools one byte each.
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

/** What a model takes and gives, by name. `millrace codegen` writes these for the models of a server. */
export interface ModelTypes {
  readonly inputs: object;
  readonly outputs: object;
}

/** Models about which nothing is known before they are asked. */
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
  /** Names of the outputs wanted. Default: all. */
  readonly outputs?: readonly (keyof Outputs & string)[];
  /** 1 is the most urgent; 0 or none is the model's default. */
  readonly priority?: number;
  /** Time the answer may take, milliseconds, every attempt included. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Comes back with the answer, and is in the server's log. */
  readonly id?: string;
}

export interface InferAnswer<Outputs> {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
  readonly outputs: Outputs;
}

export interface TensorMetadata {
  readonly name: string;
  readonly type: ElementType;
  /** -1 is any size. */
  readonly dims: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** @typeParam M The models, as `millrace codegen` describes them. */
export interface Inference<M extends Models<M> = AnyModels> {
  /**
   * Runs a model.
   *
   * @throws {InferenceError} with the code of what went wrong.
   */
  infer<Name extends keyof M & string>(
    model: Name,
    inputs: M[Name]['inputs'],
    options?: InferOptions<M[Name]['outputs']>,
  ): Promise<InferAnswer<M[Name]['outputs']>>;
  /** Names of the models that are served. */
  models(): Promise<readonly string[]>;
  /** @throws {InferenceError} `MODEL_NOT_FOUND`, `VERSION_NOT_FOUND` */
  metadata(model: keyof M & string, version?: string): Promise<ModelMetadata>;
  /** Whether every model is ready, or the one that is named. */
  ready(model?: keyof M & string): Promise<boolean>;
  /** Lets go of what it holds. Idempotent. */
  close(): Promise<void>;
}

export type InferenceCode =
  | ServeCode
  /** No answer came: the server could not be reached, or the connection broke. */
  | 'UNREACHABLE'
  /** An answer came that is none of the protocol. */
  | 'BAD_RESPONSE';

/** Why there is no answer. */
export class InferenceError extends Error {
  override readonly name = 'InferenceError';
  readonly code: InferenceCode;
  /** After how many milliseconds to try again, where that is known. */
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
