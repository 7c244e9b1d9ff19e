/** @module `POST /analyze/zero-shot`: which of the client's own labels describe a text. */

import { z } from '@hono/zod-openapi';
import { zeroShot } from '../../runtime/index.ts';
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

const EXAMPLE = { text: 'The parliament has passed the budget.', labels: ['politics', 'sports'] };
const MOST_LABELS = 100;

const requestSchema = z
  .strictObject({
    ...textFields([EXAMPLE.text, 'The match ended in a draw.']),
    labels: stringList(MOST_LABELS, 'The labels to choose from.', EXAMPLE.labels),
    hypothesis_template: z.string().optional().openapi({
      description:
        'The sentence that a label makes, with `{}` in place of the label. Default: `This example is {}.`',
    }),
    multi_label: z.boolean().optional().openapi({
      description: 'Whether several labels may hold, so that scores do not add up to 1.',
    }),
    ...windowFields,
    ...modelFields,
  })
  .openapi('ZeroShotRequest');

const resultSchema = z
  .object({
    labels: z.array(
      z.object({
        label: z.string().openapi({ example: 'politics' }),
        score: z.number().openapi({ example: 0.97 }),
      }),
    ),
  })
  .openapi('ZeroShotLabels', { description: 'In falling order of their scores.' });

/** Adds the route. */
export function zeroShotRoute({ infer, describe, runtime }: RouteBuilder): void {
  const path = '/analyze/zero-shot';
  infer(
    textRoute(runtime, {
      path,
      operations: [zeroShot],
      read(json, { others }) {
        const body = checkBody(requestSchema, json, others, EXAMPLE);
        const { isList, ...texts } = readTexts(body);
        const { truncate, stride, model, model_version } = body;
        const input = {
          ...{ ...texts, truncate, stride },
          labels: readStrings(body.labels, 'labels', MOST_LABELS),
          hypothesisTemplate: body.hypothesis_template,
          multiLabel: body.multi_label,
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
      summary: 'Classify texts by labels of your own',
      request: requestSchema,
      response: eachSchema(resultSchema),
    }),
  );
}
