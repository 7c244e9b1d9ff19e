/** @module `POST /summarize`: a text in few sentences, chosen from it or written by a model. */

import { z } from '@hono/zod-openapi';
import {
  extract,
  invalidArgument,
  isObject,
  MAX_BEAMS,
  type RequestedGeneration,
  type SummaryInput,
  type SummaryOutput,
  summarize,
} from '../../runtime/index.ts';
import { EventStream, toEvent } from '../http/event-stream.ts';
import { withRoundedScore } from '../http/scores.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { checkBody, modelFields, readTexts, textFields } from './body.ts';
import { aboutFields, describeTextRoute, eachSchema } from './openapi.ts';
import { type Question, textOperations, textRoute } from './text-route.ts';
import { writeEach } from './write-each.ts';

const EXAMPLE = { text: 'The bridge was built in 1931. It will be closed for two years.' };

/** Options that only a written summary has, and those that only a chosen one has. */
const generationShape = {
  max_length: z.int().min(1).optional().openapi({
    description: 'Most tokens of the summary, with the start token, as transformers counts them.',
  }),
  max_new_tokens: z.int().min(1).optional().openapi({ description: 'Most new tokens, instead.' }),
  min_length: z.int().min(0).optional().openapi({ description: 'Counts as `max_length`.' }),
  num_beams: z.int().min(1).max(MAX_BEAMS).optional().openapi({
    description:
      'Summaries that are searched at a time. A stream has one, also if the model says more, and refuses a number above 1.',
  }),
  no_repeat_ngram_size: z.int().min(0).max(100).optional(),
  length_penalty: z.number().min(-10).max(10).optional(),
  temperature: z.number().min(0).max(100).optional().openapi({
    description: 'Above 0 tokens are drawn at random; 0 takes the most likely one.',
  }),
  top_p: z.number().gt(0).max(1).optional(),
  seed: z.int().min(0).optional().openapi({ description: 'Equal seeds give equal summaries.' }),
};
const extractionShape = {
  sentences: z.int().min(1).max(1000).optional().openapi({
    description: 'How many sentences an extractive summary has. Default: 3.',
  }),
  ratio: z.number().gt(0).max(1).optional().openapi({
    description: 'Instead of `sentences`: which share of the sentences of the text.',
  }),
};

const requestSchema = z
  .strictObject({
    ...textFields([EXAMPLE.text, 'Another text.']),
    method: z.enum(['auto', 'extractive', 'abstractive']).optional().openapi({
      description:
        '`extractive` chooses sentences of the text, with a model for embeddings; `abstractive` writes the summary, with a model that generates text. `auto`, the default, writes where there is such a model, unless the request has `sentences` or `ratio`.',
    }),
    ...extractionShape,
    ...generationShape,
    truncate: z.boolean().optional().openapi({
      description:
        'Whether what does not fit into the window of the model is left out. By default a long text is summarized in parts.',
    }),
    stream: z.boolean().optional().openapi({
      description:
        'Whether the response is a stream of server-sent events; only for one text. It is searched without beams, also if the model has some by default, so the summary may be another one than without it.',
    }),
    ...modelFields,
  })
  .openapi('SummarizeRequest');

type Body = z.infer<typeof requestSchema>;

const resultSchema = z
  .object({
    summary: z.string(),
    method: z.enum(['extractive', 'abstractive']),
    finish_reason: z.enum(['stop', 'length']).openapi({
      description: '`length`: the summary was cut, because it has as many tokens as allowed.',
    }),
    sentences: z
      .array(
        z.object({
          index: z.int().openapi({ description: 'Place among the sentences of the text.' }),
          start: z.int().openapi({ description: 'In UTF-16 code units, as `end`.' }),
          end: z.int(),
          score: z.number().openapi({ description: 'Closeness to what the text is about.' }),
        }),
      )
      .optional()
      .openapi({ description: 'Only of an extractive summary: where its sentences are.' }),
  })
  .openapi('Summary');

const EXTRACTIVE = textOperations([extract]);
const ABSTRACTIVE = textOperations([summarize]);

/** Adds the route. */
export function summarizeRoute({ infer, describe, runtime }: RouteBuilder): void {
  const path = '/summarize';
  infer(
    textRoute(runtime, {
      path,
      operations: [summarize, extract],
      read: (json, { others }) => read(checkBody(requestSchema, json, others, EXAMPLE)),
      streams: (json) => isObject(json) && json.stream === true,
    }),
  );
  describe(
    describeTextRoute({
      path,
      summary: 'Summarize texts',
      description:
        'With `stream` the response is events of JSON: `{"delta"}` for each piece of the summary, then one with the members of a response, then `[DONE]`; an error is an event with `error` and `code`.',
      request: requestSchema,
      response: {
        'application/json': { schema: eachSchema(resultSchema) },
        'text/event-stream': {
          schema: z.union([z.object({ delta: z.string() }), resultSchema.extend(aboutFields)]),
        },
      },
    }),
  );
}

function read(body: Body): Question<SummaryInput, SummaryOutput> {
  const { isList, ...texts } = readTexts(body);
  const { model, model_version, sentences, ratio, truncate = false } = body;
  const operations = operationsOf(body);
  const events = body.stream === true ? new EventStream() : undefined;
  if (events !== undefined && isList) {
    throw invalidArgument('A stream is of one summary; send text instead of texts.');
  }
  const onText = events && ((delta: string) => events.send({ delta }));
  const options: RequestedGeneration = body;
  return {
    ...{ model, model_version, operations, events },
    input: { ...texts, sentences, ratio, options, truncate, onText },
    async write({ output: { results, usage }, about }) {
      const json = await writeEach(results, isList, usage, about, withRoundedScore);
      if (events === undefined) return { body: json };
      const whole = events.opened ? '' : toEvent({ delta: results[0]!.summary });
      return { body: whole + toEvent(json) + toEvent('[DONE]') };
    },
  };
}

/**
 * What the body chooses of the operations; undefined if the model decides.
 *
 * @throws {ServeError} `INVALID_ARGUMENT` for options that have no effect together
 */
function operationsOf(body: Body) {
  const has = (shape: object) =>
    Object.keys(shape).filter((name) => body[name as keyof Body] !== undefined);
  const [chooses] = has(extractionShape);
  const [writes] = has(generationShape);
  const { method = 'auto', sentences, ratio } = body;
  if (sentences !== undefined && ratio !== undefined) {
    throw invalidArgument('sentences and ratio exclude each other; write one of them.');
  }
  if (chooses !== undefined && (writes !== undefined || method === 'abstractive')) {
    throw invalidArgument(
      `${chooses} is an option of an extractive summary, and ${writes === undefined ? '"method": "abstractive"' : `${writes} one of an abstractive summary`}; leave one of them out.`,
    );
  }
  if (writes !== undefined && method === 'extractive') {
    throw invalidArgument(
      `${writes} has no effect with "method": "extractive"; leave it out, or write "method": "abstractive".`,
    );
  }
  if (method === 'extractive' || chooses !== undefined) return EXTRACTIVE;
  return method === 'abstractive' || writes !== undefined ? ABSTRACTIVE : undefined;
}
