/**
 * The interface of what can be done with texts: the code that converts a request's texts to runs of a model, and the
 * outputs of the runs to the content of the response.
 *
 * @module
 */

import type { CancelSignal, PoolOptions } from '../../../native/index.ts';
import type { OnTokens } from '../../model.ts';
import type { TextModel } from '../../text/text-model.ts';
import type { TaskName } from '../index.ts';
import type { PreparedInput, TaskResult } from '../task.ts';

/** What a request cost. */
export interface TextUsage {
  /** Tokens that the model has read, special ones included. */
  readonly tokens: number;
  /** Texts of which a part was left out. */
  readonly truncated: number;
}

/** The texts of a request. */
export interface TextInput {
  readonly texts: readonly string[];
  /** The place of a text in the request, for messages: `text`, `texts[3]`. */
  placeOf(index: number): string;
}

/** How long texts are handled. */
export interface WindowOptions {
  /** Whether what does not fit into one window is left out; otherwise the text is read in several. Default: false. */
  readonly truncate?: boolean | undefined;
  /** The tokens that neighbouring windows share, at most half a window. Default: 128. */
  readonly stride?: number | undefined;
}

/** Runs of a model, with the outputs that are read. There are none if no text has to be read by the model. */
export interface PreparedText<Context> extends PreparedInput<Context> {
  readonly outputs: readonly string[];
  /** How the output of each run is pooled; undefined means not at all. */
  readonly pooling?: readonly PoolOptions[] | undefined;
  /** Receives the tokens of a model that generates text as they are made. */
  readonly onTokens?: OnTokens | undefined;
}

/** Something that can be done with texts. It holds no state of requests. */
export interface TextOperation<Input, Context, Output> {
  /** Tasks whose models can do it, the best first. */
  readonly tasks: readonly TaskName[];
  /**
   * Encodes the texts, and lays their windows out as rows of runs.
   *
   * @throws {ServeError} `INVALID_ARGUMENT` with the place of the first text that does not fit; `PAYLOAD_TOO_LARGE` for too
   * many bytes or tokens.
   */
  prepare(
    model: TextModel,
    input: Input,
    signal?: CancelSignal,
  ): PreparedText<Context> | Promise<PreparedText<Context>>;
  /** Further runs on the results of those before; undefined if there are none. Default: there is one round of runs. */
  next?(
    model: TextModel,
    results: readonly TaskResult[],
    context: Context,
  ): Promise<PreparedText<Context> | undefined>;
  /**
   * The content of the response. `results` are those of the runs, in their order. Long work is divided into short turns,
   * and then the result is a promise.
   */
  answer(
    model: TextModel,
    results: readonly TaskResult[],
    context: Context,
  ): Output | Promise<Output>;
}
