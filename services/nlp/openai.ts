/** @module `POST /v1/embeddings` and `GET /v1/models`, in the form of OpenAI's API. */

import { z } from '@hono/zod-openapi';
import {
  type Codec,
  type EmbedInput,
  type EmbedOutput,
  embed,
  quote,
  ServeError,
  tokenize,
} from '../../runtime/index.ts';
import { STATUS } from '../http/error-response.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { writeBase64, writeNumbers } from '../http/vectors.ts';
import { checkBody, MOST_TEXTS, modelFields, readOneOrMore, stringList } from './body.ts';
import { openAiBody, openAiErrors, unmatchedBody } from './openai-errors.ts';
import { describeTextRoute } from './openapi.ts';
import { type Answered, type Question, type Sender, textRoute } from './text-route.ts';

const EXAMPLE = { model: 'embedder', input: 'What is the capital of France?' };

const requestSchema = z
  .strictObject({
    input: z.union([z.string(), stringList(MOST_TEXTS, 'Several texts.', [EXAMPLE.input])]),
    encoding_format: z.enum(['float', 'base64']).nullish().openapi({
      description: 'Numbers (default), or the base64 of their float32 bytes, little-endian.',
    }),
    dimensions: z.int().min(1).nullish(),
    user: z.string().nullish().openapi({ description: 'Ignored.' }),
    ...modelFields,
  })
  .openapi('OpenAiEmbeddingsRequest');

const responseSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        object: z.literal('embedding'),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]),
      }),
    ),
    model: z.string(),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .openapi('OpenAiEmbeddings');

const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int().openapi({ description: 'When this service started, seconds since 1970.' }),
    owned_by: z.string(),
  })
  .openapi('OpenAiModel');

/** Adds the routes. */
export function openAiRoutes(builder: RouteBuilder): void {
  const { infer, describe, runtime } = builder;
  const { codec } = runtime;
  builder.unmatched('/v1/', unmatchedBody);
  infer(
    textRoute(runtime, {
      path: '/v1/embeddings',
      operations: [embed],
      read: (json, sender) => readEmbeddings(codec, json, sender),
      errorBody: openAiBody,
    }),
  );
  describe(
    describeTextRoute({
      path: '/v1/embeddings',
      summary: 'Embed texts, in the form of OpenAI',
      request: requestSchema,
      response: responseSchema,
      errors: openAiErrors,
    }),
  );
  modelRoutes(builder);
}

function readEmbeddings(
  codec: Codec,
  json: unknown,
  { others }: Sender,
): Question<EmbedInput, EmbedOutput> {
  const body = checkBody(requestSchema, json, others, EXAMPLE);
  const { input, model, model_version } = body;
  const write = body.encoding_format === 'base64' ? writeBase64 : writeNumbers.bind(null, codec);
  return {
    ...{ model, model_version },
    input: { ...readOneOrMore(input, 'input'), dimensions: body.dimensions ?? undefined },
    write: ({ output, version }: Answered<EmbedOutput>) => {
      const { tokens } = output.usage;
      const usage = { prompt_tokens: tokens, total_tokens: tokens };
      return write(output, {
        head: '{"object":"list","data":[',
        open: (index) => `{"object":"embedding","index":${index},"embedding":`,
        close: '}',
        tail: `],${JSON.stringify({ model: version.model, usage }).slice(1)}`,
      });
    },
  };
}

/** The models that take text, as a list and one by one. */
function modelRoutes({ managed, describe, runtime }: RouteBuilder): void {
  const { routes } = runtime;
  const created = Math.floor(Date.now() / 1000);
  const toModel = (id: string) => ({ id, object: 'model', created, owned_by: 'millrace' });
  // Every model that takes text has tokens.
  const { tasks } = tokenize;
  const names = () =>
    routes.models().flatMap((model) => (model.hasTask(tasks) ? [model.name] : []));
  managed('/v1/models', (c) => c.json({ object: 'list', data: names().map(toModel) }));
  managed('/v1/models/:model', (c) => {
    const name = c.req.param('model')!;
    if (names().includes(name)) return c.json(toModel(name));
    const available =
      names()
        .map((each) => `'${each}'`)
        .join(', ') || 'none';
    const message = `There is no model ${quote(name)}; available: ${available}.`;
    const error = new ServeError('MODEL_NOT_FOUND', message);
    return c.json(openAiBody(error), STATUS[error.code] as 404);
  });
  describe({
    method: 'get',
    path: '/v1/models',
    summary: 'The models that take text, in the form of OpenAI',
    responses: {
      200: {
        description: 'The models',
        content: {
          'application/json': {
            schema: z.object({ object: z.literal('list'), data: z.array(modelSchema) }),
          },
        },
      },
    },
  });
  describe({
    method: 'get',
    path: '/v1/models/{model}',
    summary: 'A model, in the form of OpenAI',
    request: { params: z.object({ model: z.string().openapi({ example: 'embedder' }) }) },
    responses: {
      200: { description: 'The model', content: { 'application/json': { schema: modelSchema } } },
      ...openAiErrors,
    },
  });
}
