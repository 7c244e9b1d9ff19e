/** @module The infer routes of operations on images: what they have in common. */

import type { z } from '@hono/zod-openapi';
import {
  type Codec,
  type ImageInput,
  type ImageOperation,
  type ImageWaiter,
  type ModelVersion,
  type Runtime,
  roundMs,
  ServeError,
} from '../../runtime/index.ts';
import type { EncodedResponse, InferRoute } from '../http/edge.ts';
import { predictedBy } from '../http/predicted.ts';
import {
  MAX_BODY_BYTES,
  placeOf,
  textsOf,
  type VisionBody,
  visionBodyReader,
} from './intake/index.ts';
import { type OptionsSchema, readOptions, valuesOf } from './options.ts';

/** What every response says about itself. */
export interface About {
  readonly model_version: string;
  readonly inference_time_ms: number;
  readonly request_id: string;
}

/** The output of an operation, with what a response says beside it. */
export interface Answered<Output> {
  readonly output: Output;
  readonly about: About;
  readonly codec: Codec;
}

/** What a request asks for. */
export interface Question<Input, Output> {
  readonly model?: string | undefined;
  readonly model_version?: string | undefined;
  readonly input: Input;
  write(answered: Answered<Output>): EncodedResponse | Promise<EncodedResponse>;
}

export interface ImageRoute<Shape extends z.ZodRawShape, Input extends ImageInput, Output> {
  readonly path: string;
  readonly operation: ImageOperation<Input, unknown, Output>;
  readonly options: OptionsSchema<Shape>;
  /** What a request with these options asks for. @throws {ServeError} */
  read(
    options: z.output<OptionsSchema<Shape>>,
    body: VisionBody,
    headers: Headers,
  ): Question<Input, Output>;
}

interface ImageRequest<Input, Output> {
  readonly id: string;
  readonly waiter: ImageWaiter;
  readonly body: VisionBody;
  readonly question: Question<Input, Output>;
  /** Whether preparing it for a version has failed, perhaps while other images of it were still read. */
  hasFailed: boolean;
}

/** The images of a request, as operations take them. */
export const imagesOf = ({ images, isList }: VisionBody): ImageInput => ({
  images,
  placeOf: (index) => placeOf(index, isList),
});

/** Makes an infer route that does one thing with images. */
export function imageRoute<Shape extends z.ZodRawShape, Input extends ImageInput, Output>(
  { config, routes, imageTools, codec }: Runtime,
  { path, operation, options, read }: ImageRoute<Shape, Input, Output>,
): InferRoute<VisionBody, ImageRequest<Input, Output>, unknown> {
  return {
    path,
    limit: Math.min(config.maxRequestBytes, MAX_BODY_BYTES),
    read: visionBodyReader(imageTools.images.decodeBase64),
    anyType: true,
    decode(body, context) {
      const checked = readOptions(options, body, routes.keyMembers);
      const question = read(checked, body, context.request.headers);
      return { id: context.id, waiter: context, body, question, hasFailed: false };
    },
    members(query) {
      const texts = textsOf(query);
      readOptions(options, { texts, members: {} }, routes.keyMembers);
      return valuesOf(options, texts);
    },
    route: ({ question }) => ({
      model: question.model,
      version: question.model_version,
      tasks: operation.tasks,
    }),
    async prepare(request, version) {
      const { question, waiter } = request;
      const model = modelOf(version, operation.tasks);
      try {
        const { runs, outputs, context } = await operation.prepare(
          model,
          question.input,
          imageTools,
          waiter,
        );
        return { runs, outputs, context };
      } catch (error) {
        request.hasFailed = true;
        throw error;
      }
    },
    async respond({ version, results, timings, context }, request) {
      const { id, body, question, waiter, hasFailed } = request;
      const model = modelOf(version, operation.tasks);
      const output = await operation.answer(model, results, context, imageTools, waiter);
      // A shadow may have failed, too.
      if (!hasFailed) body.free();
      const inference_time_ms = roundMs(timings.computeMs);
      const about = { model_version: version.version, inference_time_ms, request_id: id };
      return question.write({ output, about, codec });
    },
    body: ({ body }) => body.json,
    predicted: ({ predictions }, { body }) => predictions && predictedBy(predictions, body.isList),
  };
}

/** @throws {ServeError} `WRONG_TASK` if the version takes no images */
function modelOf({ model, image }: ModelVersion, tasks: readonly string[]) {
  if (image !== undefined) return image;
  throw new ServeError(
    'WRONG_TASK',
    `Model '${model}' takes no images; this route needs a model of ${tasks.join(' or ')}.`,
  );
}

/** A response of one object for one image, and of a list for several. */
export function writeResults(
  results: readonly object[],
  isList: boolean,
  about: About,
): EncodedResponse {
  return { body: JSON.stringify(isList ? { results, ...about } : { ...results[0], ...about }) };
}
