/** @module `POST /analyze/sentiment`: the label of a text, and the scores of all labels. */

import { z } from '@hono/zod-openapi';
import { type Sentiment, sentiment } from '../../runtime/index.ts';
import { roundScore } from '../http/scores.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { checkBody, modelFields, readTexts, textFields, windowFields } from './body.ts';
import { describeTextRoute, eachSchema } from './openapi.ts';
import { textRoute } from './text-route.ts';
import { writeEach } from './write-each.ts';

const EXAMPLE = { text: 'This product is amazing!' };

const requestSchema = z
  .strictObject({
    ...textFields([EXAMPLE.text, 'It broke after a day.']),
    top_k: z.int().min(0).max(1000).optional().openapi({
      description: 'How many labels `scores` has, the best first; 0, the default, means all.',
    }),
    ...windowFields,
    ...modelFields,
  })
  .openapi('SentimentRequest');

const resultSchema = z
  .object({
    label: z.string().openapi({ example: 'POSITIVE' }),
    score: z.number().openapi({
      description:
        'The probability of the label: softmax, or a sigmoid for each label if several may hold; the value itself of a regression.',
      example: 0.998,
    }),
    scores: z.record(z.string(), z.number()).openapi({
      description: 'By label, in falling order.',
      example: { POSITIVE: 0.998, NEGATIVE: 0.002 },
    }),
  })
  .openapi('Sentiment');

/** Adds the route. */
export function sentimentRoute({ infer, describe, runtime }: RouteBuilder): void {
  const path = '/analyze/sentiment';
  infer(
    textRoute(runtime, {
      path,
      operations: [sentiment],
      read(json, { others }) {
        const body = checkBody(requestSchema, json, others, EXAMPLE);
        const { isList, ...texts } = readTexts(body);
        const { top_k: topK, truncate, stride, model, model_version } = body;
        return {
          ...{ model, model_version, isList },
          input: { ...texts, topK, truncate, stride },
          async write({ output, about }) {
            const results = output.results.map(rounded);
            const predictions = results.map(({ label, score }) => ({
              prediction: label,
              confidence: score,
            }));
            const body = await writeEach(results, isList, output.usage, about);
            return { body, predictions };
          },
        };
      },
    }),
  );
  describe(
    describeTextRoute({
      path,
      summary: 'Classify texts',
      request: requestSchema,
      response: eachSchema(resultSchema),
    }),
  );
}

function rounded({ label, score, scores }: Sentiment): Sentiment {
  const entries = [...scores].map(([name, each]) => [name, roundScore(each)] as const);
  return { label, score: roundScore(score), scores: new Map(entries) };
}
