/** @module `POST /analyze/ner`: the entities that a text names, such as people and places. */

import { z } from '@hono/zod-openapi';
import { entities } from '../../runtime/index.ts';
import { withRoundedScore } from '../http/scores.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import {
  checkBody,
  modelFields,
  readStrings,
  readTexts,
  stringList,
  textFields,
  windowFields,
} from './body.ts';
import { describeTextRoute, eachSchema } from './openapi.ts';
import { textRoute } from './text-route.ts';
import { writeEach } from './write-each.ts';

const EXAMPLE = { text: 'Apple Inc. is located in Cupertino, California.' };
/** Most labels of the filter. */
const MOST_LABELS = 1000;

const requestSchema = z
  .strictObject({
    ...textFields([EXAMPLE.text, 'Ada Lovelace lived in London.']),
    aggregation: z.enum(['simple', 'none', 'first', 'average', 'max']).optional().openapi({
      description:
        'How tokens become entities, as `aggregation_strategy` of transformers. Default: `simple`.',
    }),
    threshold: z.number().min(0).max(1).optional().openapi({
      description: 'Entities with a lower score are left out. Default: 0.',
    }),
    labels: stringList(MOST_LABELS, 'Only entities with these labels. Default: all.', [
      'ORG',
      'LOC',
    ]).optional(),
    offset_unit: z.enum(['utf16', 'codepoint', 'utf8']).optional().openapi({
      description:
        'What `start` and `end` count: UTF-16 code units as JavaScript and Java do (default), code points as Python does, or bytes of UTF-8 as Go and Rust do.',
    }),
    ...windowFields,
    ...modelFields,
  })
  .openapi('EntitiesRequest');

const resultSchema = z
  .object({
    entities: z.array(
      z
        .object({
          text: z.string().openapi({
            description: 'The part of the text, as it was sent.',
            example: 'Apple Inc.',
          }),
          label: z.string().openapi({ example: 'ORG' }),
          start: z.int().openapi({ example: 0 }),
          end: z.int().openapi({ description: 'The place after the last character.', example: 10 }),
          score: z.number().openapi({ example: 0.99 }),
        })
        .openapi('Entity'),
    ),
  })
  .openapi('Entities');

/** Adds the route. */
export function nerRoute({ infer, describe, runtime }: RouteBuilder): void {
  const path = '/analyze/ner';
  infer(
    textRoute(runtime, {
      path,
      operations: [entities],
      read(json, { others }) {
        const body = checkBody(requestSchema, json, others, EXAMPLE);
        const { isList, ...texts } = readTexts(body);
        const { aggregation, threshold, truncate, stride, model, model_version } = body;
        const labels = body.labels && readStrings(body.labels, 'labels', MOST_LABELS);
        const input = {
          ...{ ...texts, truncate, stride, aggregation, threshold, labels },
          offsetUnit: body.offset_unit,
        };
        return {
          ...{ model, model_version, input },
          write: async ({ output: { results, usage }, about }) => ({
            body: await writeEach(results, isList, usage, about, withRoundedScore),
          }),
        };
      },
    }),
  );
  describe(
    describeTextRoute({
      path,
      summary: 'Find entities such as people, organisations and places',
      request: requestSchema,
      response: eachSchema(resultSchema),
    }),
  );
}
