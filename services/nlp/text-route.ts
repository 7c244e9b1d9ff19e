/** @module The infer routes of operations on texts: what they have in common. */

import {
  type CancelSignal,
  type ModelVersion,
  type Prepared,
  type PreparedText,
  type Runtime,
  roundMs,
  ServeError,
  type TaskName,
  type TextOperation,
} from '../../runtime/index.ts';
import { MAX_JSON_BYTES, readTextJson } from '../http/codec-json.ts';
import type { EncodedResponse, InferRoute } from '../http/edge.ts';
import type { EventStream } from '../http/event-stream.ts';
import { predictedBy } from '../http/predicted.ts';

/** What every response says about itself. */
export interface About {
  readonly model_version: string;
  readonly inference_time_ms: number;
  readonly request_id: string;
}

/** The output of an operation, with what a response says beside it. */
export interface Answered<Output> {
  readonly output: Output;
  readonly version: ModelVersion;
  readonly about: About;
}

/** What can be done with texts, of which the task of the model decides what is done. */
export interface TextOperations<Input, Output> {
  readonly list: readonly TextOperation<Input, unknown, Output>[];
  readonly tasks: readonly TaskName[];
}

/** @param list The best first. */
export const textOperations = <Input, Output>(
  list: readonly TextOperation<Input, unknown, Output>[],
): TextOperations<Input, Output> => ({
  list,
  tasks: [...new Set(list.flatMap(({ tasks }) => tasks))],
});

/** What a body asks for. */
export interface Question<Input, Output> {
  readonly model?: string | undefined;
  readonly model_version?: string | undefined;
  readonly input: Input;
  /** Whether the response is a list, even of one text. Default: false. */
  readonly isList?: boolean | undefined;
  /** What is done, if the body chooses some of the operations of the route. */
  readonly operations?: TextOperations<Input, Output> | undefined;
  /** As in `InferRoute`. */
  readonly events?: EventStream | undefined;
  /** Writes the response in the form of the request. */
  write(answered: Answered<Output>): EncodedResponse | Promise<EncodedResponse>;
}

/** What comes with a body. */
export interface Sender {
  /** Members that a body may have beside its own, which hold keys of sticky splits. */
  readonly others: ReadonlySet<string>;
  readonly headers: Headers;
}

export interface TextRoute<Input, Output> {
  readonly path: string;
  /** What is done, the best first: the task of the model decides which one. */
  readonly operations: readonly TextOperation<Input, unknown, Output>[];
  /** Checks a body. @throws {ServeError} */
  read(json: unknown, sender: Sender): Question<Input, Output>;
  /** As in `InferRoute`. */
  readonly streams?: InferRoute<unknown, unknown, unknown>['streams'];
  readonly errorBody?: InferRoute<unknown, unknown, unknown>['errorBody'];
}

interface TextRequest<Input, Output> {
  readonly id: string;
  /** Aborts when the client disconnects. */
  readonly signal: CancelSignal;
  readonly json: unknown;
  readonly question: Question<Input, Output>;
}

interface TextContext<Input, Output> {
  readonly operation: TextOperation<Input, unknown, Output>;
  readonly prepared: unknown;
}

/** Makes an infer route that does one thing with texts. */
export function textRoute<Input, Output>(
  { config, routes }: Runtime,
  { path, operations, read, streams, errorBody }: TextRoute<Input, Output>,
): InferRoute<unknown, TextRequest<Input, Output>, TextContext<Input, Output>> {
  const every = textOperations(operations);
  return {
    path,
    // 1 MiB of text has up to 6 MiB of JSON, because a character may be written as an escape.
    limit: Math.min(config.maxRequestBytes, MAX_JSON_BYTES),
    read: readTextJson,
    ...(errorBody && { errorBody }),
    ...(streams && { streams }),
    decode(json, { id, signal, request }) {
      // The names of the members change whenever models or routes do.
      const sender = { others: routes.keyMembers, headers: request.headers };
      return { id, signal, json, question: read(json, sender) };
    },
    events: ({ question }) => question.events,
    route: ({ question }) => ({
      model: question.model,
      version: question.model_version,
      tasks: (question.operations ?? every).tasks,
    }),
    async prepare({ question, signal }, version) {
      const operation = operationOf(question.operations ?? every, version);
      return roundOf(operation, await operation.prepare(version.text!, question.input, signal));
    },
    async next({ version, results, context: { operation, prepared } }) {
      const round = await operation.next?.(version.text!, results, prepared);
      return round && roundOf(operation, round);
    },
    async respond(outcome, { id, question }) {
      const { version, results, timings, context } = outcome;
      const { operation, prepared } = context;
      const output = await operation.answer(version.text!, results, prepared);
      const inference_time_ms = roundMs(timings.computeMs);
      const about = { model_version: version.version, inference_time_ms, request_id: id };
      return question.write({ output, version, about });
    },
    body: ({ json }) => json,
    predicted: ({ predictions }, { question: { isList = false } }) =>
      predictions && predictedBy(predictions, isList),
  };
}

const roundOf = <Input, Output>(
  operation: TextOperation<Input, unknown, Output>,
  { runs, outputs, pooling, onTokens, context }: PreparedText<unknown>,
): Prepared<TextContext<Input, Output>> => ({
  ...{ runs, outputs, pooling, onTokens },
  context: { operation, prepared: context },
});

/** @throws {ServeError} `WRONG_TASK` if no operation can be done with the version */
function operationOf<Input, Output>(
  { list, tasks }: TextOperations<Input, Output>,
  { model, text }: ModelVersion,
): TextOperation<Input, unknown, Output> {
  const found = list.find((each) => text !== undefined && each.tasks.includes(text.task));
  if (found !== undefined) return found;
  const has = text === undefined ? 'takes no text' : `has the task ${text.task}`;
  throw new ServeError(
    'WRONG_TASK',
    `Model '${model}' ${has}; this route needs a model of ${tasks.join(' or ')}.`,
  );
}
