/** @module `POST /tokenize`: the tokens that a model sees of a text. */

import { z } from '@hono/zod-openapi';
import { tokenize } from '../../runtime/index.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { checkBody, modelFields, readTexts, textFields } from './body.ts';
import { describeTextRoute, eachSchema } from './openapi.ts';
import { textRoute } from './text-route.ts';
import { writeEach } from './write-each.ts';

const EXAMPLE = { text: 'How many tokens is this?' };

const requestSchema = z
  .strictObject({
    ...textFields([EXAMPLE.text, 'And this?']),
    add_special_tokens: z.boolean().optional().openapi({
      description: 'Whether the special tokens of the model are added. Default: true.',
    }),
    split_special_tokens: z.boolean().optional().openapi({
      description:
        'Whether the name of a special token in a text, such as `[MASK]`, is ordinary text. Default: false.',
    }),
    ...modelFields,
  })
  .openapi('TokenizeRequest');

const resultSchema = z
  .object({
    ids: z.array(z.int()).openapi({ example: [101, 2129, 2116, 19204, 2015, 102] }),
    tokens: z.array(z.string()).openapi({
      example: ['[CLS]', 'how', 'many', 'token', '##s', '[SEP]'],
    }),
    offsets: z.array(z.array(z.int())).openapi({
      description: 'Start and end of each token in UTF-16 code units; 0 and 0 for special tokens.',
      example: [
        [0, 0],
        [0, 3],
        [4, 8],
        [9, 14],
        [14, 15],
        [0, 0],
      ],
    }),
  })
  .openapi('Tokens');

/** Adds the route. */
export function tokenizeRoute({ infer, describe, runtime }: RouteBuilder): void {
  const path = '/tokenize';
  infer(
    textRoute(runtime, {
      path,
      operations: [tokenize],
      read(json, { others }) {
        const body = checkBody(requestSchema, json, others, EXAMPLE);
        const { isList, ...texts } = readTexts(body);
        const { model, model_version } = body;
        return {
          ...{ model, model_version },
          input: {
            ...texts,
            addSpecialTokens: body.add_special_tokens,
            splitSpecialTokens: body.split_special_tokens,
          },
          write: async ({ output: { results, usage }, about }) => ({
            body: await writeEach(results, isList, usage, about),
          }),
        };
      },
    }),
  );
  describe(
    describeTextRoute({
      path,
      summary: 'Show the tokens of texts',
      description: 'Texts are not cut to the window of the model.',
      request: requestSchema,
      response: eachSchema(resultSchema),
    }),
  );
}
