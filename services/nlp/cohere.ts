/** @module `POST /v1/rerank` in the form of Cohere and Jina, and `POST /v2/rerank` in that of Cohere's second version. */

import { z } from '@hono/zod-openapi';
import {
  describeValue,
  invalidArgument,
  isObject,
  type RerankOutput,
  type ServeError,
} from '../../runtime/index.ts';
import { errorResponses } from '../http/openapi.ts';
import { roundScore } from '../http/scores.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { checkBody, listed, MOST_TEXTS, modelFields, readStrings, stringList } from './body.ts';
import { openAiBody, openAiErrors } from './openai-errors.ts';
import { describeTextRoute, TEXT_ERRORS } from './openapi.ts';
import { EXAMPLE, OPERATIONS, query, type RerankQuestion, score, topN } from './rerank.ts';
import { type Sender, textRoute } from './text-route.ts';

const v1Schema = z
  .strictObject({
    query,
    documents: z
      .custom<readonly unknown[]>(Array.isArray, { error: 'a list of strings or objects' })
      .openapi({
        type: 'array',
        items: {
          anyOf: [
            { type: 'string' },
            { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
          ],
        },
        minItems: 1,
        maxItems: MOST_TEXTS,
        example: EXAMPLE.documents,
      }),
    top_n: topN.nullish(),
    return_documents: z.boolean().nullish(),
    truncation: z.boolean().nullish(),
    ...modelFields,
  })
  .openapi('V1RerankRequest', { description: 'The form of Cohere and Jina.' });

const v1Response = z
  .object({
    id: z.string(),
    object: z.literal('list'),
    model: z.string(),
    results: z.array(
      z.object({
        index: z.int(),
        relevance_score: score,
        document: z.object({ text: z.string() }).optional(),
      }),
    ),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .openapi('V1Reranked');

const v2Schema = z
  .strictObject({
    query,
    documents: stringList(MOST_TEXTS, 'The documents.', EXAMPLE.documents),
    top_n: topN.nullish(),
    ...modelFields,
  })
  .openapi('V2RerankRequest', { description: "The form of the second version of Cohere's API." });

const v2Response = z
  .object({
    id: z.string(),
    results: z.array(z.object({ index: z.int(), relevance_score: score })),
    meta: z.object({
      api_version: z.object({ version: z.literal('2') }),
      tokens: z.object({ input_tokens: z.int() }),
    }),
  })
  .openapi('V2Reranked');

const v2Error = z
  .object({
    message: z.string().openapi({ description: 'One sentence for people.' }),
    code: z.string().openapi({ description: 'For programs.', example: 'INVALID_ARGUMENT' }),
    id: z.string(),
  })
  .openapi('CohereError');

const v2Body = ({ message, code }: ServeError, id: string): object => ({ message, code, id });

/** Adds the routes. */
export function cohereRoutes({ infer, describe, runtime }: RouteBuilder): void {
  const operations = OPERATIONS;
  infer(
    textRoute(runtime, { path: '/v1/rerank', operations, read: readV1, errorBody: openAiBody }),
  );
  infer(textRoute(runtime, { path: '/v2/rerank', operations, read: readV2, errorBody: v2Body }));
  const summary = 'Order documents by how well they answer a query, in the form of';
  describe(
    describeTextRoute({
      path: '/v1/rerank',
      summary: `${summary} Cohere and Jina`,
      request: v1Schema,
      response: v1Response,
      errors: openAiErrors,
    }),
  );
  describe(
    describeTextRoute({
      path: '/v2/rerank',
      summary: `${summary} Cohere's second version`,
      request: v2Schema,
      response: v2Response,
      errors: errorResponses(TEXT_ERRORS, v2Error),
    }),
  );
}

function readV1(json: unknown, { others }: Sender): RerankQuestion {
  const body = checkBody(v1Schema, json, others, EXAMPLE);
  const { query: question, truncation, model, model_version } = body;
  const documents = readStrings(body.documents.map(textOf), 'documents', MOST_TEXTS);
  const shown = (index: number) =>
    body.return_documents ? { document: { text: documents[index] } } : {};
  return {
    ...{ model, model_version },
    input: {
      ...{ query: question, ...listed(documents, 'documents'), truncate: truncation ?? undefined },
      topN: body.top_n ?? undefined,
    },
    write({
      output: {
        results,
        usage: { tokens },
      },
      version,
      about,
    }) {
      const shownResults = results.map((each) => ({ ...scored(each), ...shown(each.index) }));
      const usage = { prompt_tokens: tokens, total_tokens: tokens };
      const content = { id: about.request_id, object: 'list', model: version.model };
      return { body: JSON.stringify({ ...content, results: shownResults, usage }) };
    },
  };
}

/** The text of a document that may be an object. @throws {ServeError} `INVALID_ARGUMENT` */
function textOf(document: unknown, index: number): unknown {
  if (!isObject(document)) return document;
  if (typeof document.text === 'string') return document.text;
  const found = document.text === undefined ? 'missing' : describeValue(document.text);
  throw invalidArgument(`documents[${index}].text must be a string but is ${found}.`, 'documents');
}

function readV2(json: unknown, { others }: Sender): RerankQuestion {
  const body = checkBody(v2Schema, json, others, EXAMPLE);
  const { model, model_version } = body;
  const documents = readStrings(body.documents, 'documents', MOST_TEXTS);
  return {
    ...{ model, model_version },
    input: {
      ...{ query: body.query, ...listed(documents, 'documents') },
      topN: body.top_n ?? undefined,
    },
    write({ output, about }) {
      const tokens = { input_tokens: output.usage.tokens };
      const meta = { api_version: { version: '2' }, tokens };
      const content = { id: about.request_id, results: output.results.map(scored), meta };
      return { body: JSON.stringify(content) };
    },
  };
}

/** A result as every version of the form has it. */
const scored = ({ index, score: each }: RerankOutput['results'][number]) => ({
  ...{ index, relevance_score: roundScore(each) },
});
