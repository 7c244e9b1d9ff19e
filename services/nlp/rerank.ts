/**
 * `POST /rerank`: documents in the order in which they answer a query, in our form and in that of text-embeddings-inference (TEI).
 *
 * @module
 */

import { z } from '@hono/zod-openapi';
import {
  isObject,
  type RerankInput,
  type RerankOutput,
  rerank,
  similarity,
} from '../../runtime/index.ts';
import { roundScore } from '../http/scores.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import {
  checkBody,
  listed,
  MOST_TEXTS,
  modelFields,
  readStrings,
  stringList,
  windowFields,
} from './body.ts';
import { aboutFields, describeTextRoute } from './openapi.ts';
import { type Question, type Sender, textRoute } from './text-route.ts';
import { refuseLeft, truncationDirection } from './truncation.ts';

const QUERY = 'What is the capital of France?';
const DOCUMENTS = ['Paris is the capital of France.', 'Berlin is in Germany.'];
export const EXAMPLE = { query: QUERY, documents: DOCUMENTS };
const TEI_EXAMPLE = { query: QUERY, texts: DOCUMENTS };

export const query = z.string().openapi({ example: QUERY });
export const topN = z.int().min(1).optional().openapi({
  description: 'How many results there are, the best first. Default: all.',
});
export const score = z.number().openapi({
  description:
    'Of a cross-encoder its score, with a sigmoid if it has one label; otherwise the cosine of the embeddings.',
  example: 0.98,
});

const requestSchema = z
  .strictObject({
    query,
    documents: stringList(MOST_TEXTS, 'The documents.', DOCUMENTS),
    top_n: topN,
    return_documents: z.boolean().optional().openapi({
      description: 'Whether each result has its document. Default: false.',
    }),
    ...windowFields,
    ...modelFields,
  })
  .openapi('RerankRequest');

const responseSchema = z
  .object({
    results: z.array(
      z.object({
        index: z.int().openapi({ description: 'The place in `documents`.', example: 0 }),
        relevance_score: score,
        document: z.string().optional(),
      }),
    ),
    method: z.enum(['cross-encoder', 'embeddings']),
    ...aboutFields,
  })
  .openapi('Reranked', { description: 'The best document first.' });

const teiSchema = z
  .strictObject({
    query,
    texts: stringList(MOST_TEXTS, 'The documents.', DOCUMENTS),
    raw_scores: z.boolean().nullish().openapi({
      description: 'Whether scores are those of the model, without a sigmoid.',
    }),
    return_text: z.boolean().nullish(),
    truncate: z.boolean().nullish(),
    truncation_direction: truncationDirection,
    ...modelFields,
  })
  .openapi('TextEmbeddingsInferenceRerankRequest', {
    description: 'The form of text-embeddings-inference.',
  });

const teiResponse = z
  .array(z.object({ index: z.int(), score, text: z.string().optional() }))
  .openapi('TextEmbeddingsInferenceReranked', { description: 'The response to `texts`.' });

export type RerankQuestion = Question<RerankInput, RerankOutput>;
/** What is done, the best first. */
export const OPERATIONS = [rerank, similarity];

/** Adds the routes. */
export function rerankRoutes({ infer, describe, runtime }: RouteBuilder): void {
  const read = (json: unknown, sender: Sender) =>
    isObject(json) && 'texts' in json ? readTei(json, sender) : readOurs(json, sender);
  infer(textRoute(runtime, { path: '/rerank', operations: OPERATIONS, read }));
  describe(
    describeTextRoute({
      path: '/rerank',
      summary: 'Order documents by how well they answer a query',
      description:
        'With `texts` the request and the response have the form of text-embeddings-inference.',
      request: z.union([requestSchema, teiSchema]),
      response: z.union([responseSchema, teiResponse]),
    }),
  );
}

function readOurs(json: unknown, { others }: Sender): RerankQuestion {
  const body = checkBody(requestSchema, json, others, EXAMPLE);
  const { query: question, truncate, stride, model, model_version } = body;
  const documents = readStrings(body.documents, 'documents', MOST_TEXTS);
  const shown = (index: number) => (body.return_documents ? { document: documents[index] } : {});
  return {
    ...{ model, model_version },
    input: {
      ...{ query: question, ...listed(documents, 'documents'), truncate, stride },
      topN: body.top_n,
    },
    write({ output: { results, method, usage }, about }) {
      const scored = results.map(({ index, score: each }) => ({
        ...{ index, relevance_score: roundScore(each) },
        ...shown(index),
      }));
      return { body: JSON.stringify({ results: scored, method, ...about, usage }) };
    },
  };
}

function readTei(json: unknown, { others }: Sender): RerankQuestion {
  const body = checkBody(teiSchema, json, others, TEI_EXAMPLE);
  const { query: question, truncate, raw_scores, model, model_version } = body;
  refuseLeft(body.truncation_direction);
  const texts = readStrings(body.texts, 'texts', MOST_TEXTS);
  const shown = (index: number) => (body.return_text ? { text: texts[index] } : {});
  return {
    ...{ model, model_version },
    input: {
      ...{ query: question, ...listed(texts, 'texts'), truncate: truncate ?? undefined },
      rawScores: raw_scores ?? undefined,
    },
    write: ({ output: { results } }) => ({
      body: JSON.stringify(
        results.map(({ index, score: each }) => ({
          ...{ index, score: roundScore(each) },
          ...shown(index),
        })),
      ),
    }),
  };
}
