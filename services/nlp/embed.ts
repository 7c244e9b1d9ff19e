/** @module `POST /embed` and `POST /`: vectors of texts, in our form and in that of text-embeddings-inference (TEI). */

import { z } from '@hono/zod-openapi';
import {
  type Codec,
  type EmbedInput,
  type EmbedOutput,
  embed,
  isObject,
} from '../../runtime/index.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { wantsBytes, writeBytes, writeNumbers } from '../http/vectors.ts';
import {
  checkBody,
  MOST_TEXTS,
  modelFields,
  readOneOrMore,
  readTexts,
  stringList,
  textFields,
  windowFields,
} from './body.ts';
import { aboutFields, describeTextRoute } from './openapi.ts';
import { type Question, type Sender, textRoute } from './text-route.ts';
import { refuseLeft, truncationDirection } from './truncation.ts';

const EXAMPLE = { text: 'What is the capital of France?' };
const TEI_EXAMPLE = { inputs: EXAMPLE.text };

const requestSchema = z
  .strictObject({
    ...textFields([EXAMPLE.text, 'Paris is the capital of France.']),
    normalize: z.boolean().optional().openapi({
      description: 'Whether vectors have the length 1. Default: as the model says, else true.',
    }),
    pooling: z.enum(['mean', 'cls', 'max', 'last', 'weightedmean']).optional().openapi({
      description:
        'How the vectors of tokens become one, by the names of sentence-transformers. Default: as the model says.',
    }),
    dimensions: z.int().min(1).optional().openapi({
      description:
        'Only the first numbers of each vector, normalised again; for models that are trained for it.',
      example: 256,
    }),
    prompt_name: z.string().optional().openapi({
      description: 'The prompt of the model that is written before each text, such as `query`.',
    }),
    ...windowFields,
    ...modelFields,
  })
  .openapi('EmbedRequest');

const teiSchema = z
  .strictObject({
    inputs: z.union([z.string(), stringList(MOST_TEXTS, 'Several texts.', [EXAMPLE.text])]),
    truncate: z.boolean().nullish(),
    truncation_direction: truncationDirection,
    normalize: z.boolean().nullish(),
    prompt_name: z.string().nullish(),
    dimensions: z.int().min(1).nullish(),
    ...modelFields,
  })
  .openapi('TextEmbeddingsInferenceEmbedRequest', {
    description: 'The form of text-embeddings-inference.',
  });

const responseSchema = z
  .object({
    embeddings: z.array(z.array(z.number())).openapi({ example: [[0.0123, -0.0456]] }),
    dimensions: z.int().openapi({ description: 'Numbers of each vector.', example: 384 }),
    ...aboutFields,
  })
  .openapi('Embeddings');

const teiResponse = z
  .array(z.array(z.number()))
  .openapi('TextEmbeddingsInferenceEmbeddings', { description: 'The response to `inputs`.' });

const bytes = z.string().openapi({
  format: 'binary',
  description: 'The floats of all vectors, little-endian, if `Accept` asks for it.',
});

type EmbedQuestion = Question<EmbedInput, EmbedOutput>;

/** Adds the routes. */
export function embedRoutes({ infer, describe, runtime }: RouteBuilder): void {
  const { codec } = runtime;
  const readInputs = (json: unknown, sender: Sender) => readTei(codec, json, sender);
  const read = (json: unknown, sender: Sender) =>
    isObject(json) && 'inputs' in json ? readInputs(json, sender) : readOurs(codec, json, sender);
  infer(textRoute(runtime, { path: '/embed', operations: [embed], read }));
  infer(textRoute(runtime, { path: '/', operations: [embed], read: readInputs }));
  const headers = {
    'X-Shape': z.string().optional().openapi({
      description: 'With `application/octet-stream`: the number of vectors, and of their numbers.',
      example: '2,384',
    }),
  };
  describe(
    describeTextRoute({
      path: '/embed',
      summary: 'Embed texts',
      description:
        'Vectors that are near to each other for texts of similar meaning. With `inputs` the request and the response have the form of text-embeddings-inference.',
      request: z.union([requestSchema, teiSchema]),
      response: {
        'application/json': { schema: z.union([responseSchema, teiResponse]) },
        'application/octet-stream': { schema: bytes },
      },
      headers,
    }),
  );
  describe(
    describeTextRoute({
      path: '/',
      summary: 'Embed texts, in the form of text-embeddings-inference',
      request: teiSchema,
      response: {
        'application/json': { schema: teiResponse },
        'application/octet-stream': { schema: bytes },
      },
      headers,
    }),
  );
}

function readOurs(codec: Codec, json: unknown, { others, headers }: Sender): EmbedQuestion {
  const body = checkBody(requestSchema, json, others, EXAMPLE);
  const { texts, placeOf } = readTexts(body);
  const { normalize, pooling, dimensions, truncate, stride, model, model_version } = body;
  const input = {
    ...{ texts, placeOf, truncate, stride, normalize, pooling, dimensions },
    promptName: body.prompt_name,
  };
  return {
    ...{ model, model_version, input },
    write({ output, about }) {
      if (wantsBytes(headers)) return writeBytes(output);
      const end = JSON.stringify({ dimensions: output.dimensions, ...about, usage: output.usage });
      return writeNumbers(codec, output, { head: '{"embeddings":[', tail: `],${end.slice(1)}` });
    },
  };
}

function readTei(codec: Codec, json: unknown, { others, headers }: Sender): EmbedQuestion {
  const body = checkBody(teiSchema, json, others, TEI_EXAMPLE);
  const { inputs, model, model_version } = body;
  refuseLeft(body.truncation_direction);
  const input = {
    ...readOneOrMore(inputs, 'inputs'),
    truncate: body.truncate ?? undefined,
    normalize: body.normalize ?? undefined,
    dimensions: body.dimensions ?? undefined,
    promptName: body.prompt_name ?? undefined,
  };
  return {
    ...{ model, model_version, input },
    write: ({ output }) =>
      wantsBytes(headers)
        ? writeBytes(output)
        : writeNumbers(codec, output, { head: '[', tail: ']' }),
  };
}
