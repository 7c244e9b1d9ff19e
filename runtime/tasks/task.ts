/**
 * The interface of a task: the code that converts a request's input (rows of features; later text or images) to
 * tensors for a model, and the model's output tensors to the content of the response.
 *
 * @module
 */

import type { z } from 'zod';
import type { Signature, Tensor, Tensors } from '../../native/index.ts';

/** The output tensors of one run by name. */
export type Outputs = Readonly<Record<string, Tensor>>;

/** The part of a run's result that `decode` reads. */
export interface TaskResult {
  readonly outputs: Outputs;
}

/** A request's input as tensors. */
export interface PreparedInput<Context> {
  /** The inputs of each run that the request needs: one, or one for each row if a run takes a single row. */
  readonly runs: readonly Tensors[];
  /** What `decode` needs to know about the request, such as offsets of tokens or the size of an image. */
  readonly context: Context;
}

/** A task of one model version. Created once when the version loads; holds no state of requests. */
export interface Task<Name extends string, Input, Options, Context, Output> {
  readonly name: Name;
  /** Names of the outputs it reads, so that a run fetches no other. */
  readonly outputs: readonly string[];
  /** Sentences about keys of `model.json` that have no effect, and about assumptions that may be wrong. */
  readonly notes: readonly string[];
  /**
   * Checks the input and lays it out for the model. Work that would block the thread for long is done on
   * another thread, and then the result is a promise.
   *
   * @throws {ServeError} `INVALID_ARGUMENT` with the path of the first value that does not fit.
   */
  prepare(input: Input, options: Options): PreparedInput<Context> | Promise<PreparedInput<Context>>;
  /**
   * The content of the response. `results` are those of the runs, in their order.
   *
   * @throws {ServeError} `INVALID_ARGUMENT` for outputs that this task cannot distinguish.
   */
  decode(results: readonly TaskResult[], context: Context): Output;
}

/** The model of a task. */
export interface TaskModel {
  /** For messages that name the model's routes. */
  readonly name: string;
  readonly signature: Signature;
  /** Names of the classes by output, from files other than `model.json`. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
}

/** A row of the table of tasks. */
export interface TaskDefinition<Shape extends z.ZodRawShape, Made> {
  /** The keys of `model.json` that describe the task. */
  readonly config: z.ZodObject<Shape>;
  /** @throws {ServeError} `INVALID_CONFIG` if the configuration does not fit the signature. */
  create(model: TaskModel, config: z.infer<z.ZodObject<Shape>>): Made;
}
