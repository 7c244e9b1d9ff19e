/** @module `POST /predict`: rows of features in, predictions out. */

import {
  type ModelVersion,
  type NonFinite,
  type Prediction,
  type Runtime,
  roundMs,
  ServeError,
  stringify,
  type TabularTask,
  type TaskName,
  toNonFinite,
} from '../../runtime/index.ts';
import { readExactJson, readJson } from '../http/codec-json.ts';
import type { InferRoute } from '../http/edge.ts';
import { isFeatures, type PredictRequest, predictRequest } from './schema.ts';

/** The tasks of the models that take rows of features. */
export const TASKS: readonly TaskName[] = ['classification', 'regression', 'raw'];

/** A request, and the id that its response repeats. */
interface PredictInput {
  readonly id: string;
  /** The body as it was sent, which may have members beside those of a request. */
  readonly json: unknown;
  readonly body: PredictRequest;
  readonly nonFinite: NonFinite;
}

type Context = Parameters<TabularTask['decode']>[1];

export function predictRoute({
  config,
  routes,
}: Runtime): InferRoute<unknown, PredictInput, Context> {
  return {
    path: '/predict',
    limit: config.maxPredictBytes,
    // Exact parsing takes a third longer, so it is used only if a model has 64-bit integers as inputs.
    read: (request, announced, limit) =>
      (routes.takesWideIntegers ? readExactJson : readJson)(request, announced, limit),
    decode(json, { id }) {
      const body = checked(json, routes.keyMembers);
      return { id, json, body, nonFinite: toNonFinite(body.non_finite, 'string') };
    },
    route: ({ body }) => ({ model: body.model, version: body.model_version, tasks: TASKS }),
    prepare({ body, nonFinite }, version) {
      const task = taskOf(version);
      const { runs, context } = task.prepare(body.features, { nonFinite });
      return { runs, outputs: task.outputs, context };
    },
    respond({ version, results, timings, context }, { id, body, nonFinite }) {
      const predictions = taskOf(version).decode(results, context);
      const about = {
        model_version: version.version,
        inference_time_ms: roundMs(timings.computeMs),
        request_id: id,
      };
      if (isList(body))
        return { body: stringify({ predictions, ...about }, nonFinite), predictions };
      const { prediction, confidence } = predictions[0]!;
      return { body: stringify({ prediction, confidence, ...about }, nonFinite), predictions };
    },
    body: ({ json }) => json,
    predicted({ predictions }, { body }) {
      const values = predictions!.map(({ prediction }) => prediction);
      const prediction = isList(body) ? values : values[0];
      return { prediction, confidence: meanConfidence(predictions!) };
    },
  };
}

/** The mean of the confidences that are numbers; undefined if none is. */
function meanConfidence(predictions: readonly Prediction[]): number | undefined {
  let sum = 0;
  let count = 0;
  for (const { confidence } of predictions) {
    if (typeof confidence !== 'number') continue;
    sum += confidence;
    count += 1;
  }
  return count === 0 ? undefined : sum / count;
}

/** Whether a request has a list of rows, even of one row. Then its response has a list of predictions. */
function isList({ features }: PredictRequest): boolean {
  if (!Array.isArray(features)) return false;
  const [first] = features;
  return typeof first === 'object' && first !== null;
}

/** @throws {ServeError} with the reason why the version has no tabular task */
function taskOf({ task }: ModelVersion): TabularTask {
  if (task instanceof ServeError) throw task;
  return task;
}

/** @param others Members that a body may have besides, which hold keys of sticky splits. */
function checked(body: unknown, others: ReadonlySet<string>): PredictRequest {
  if (isUsualRequest(body, others)) return body;
  const parsed = predictRequest.safeParse(without(body, others));
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new ServeError('INVALID_ARGUMENT', `${path.join('.') || 'The body'} ${message}.`);
}

/**
 * Whether a body has the form that nearly all requests have. These skip the schema, which takes as long as the
 * rest of the decoding; the schema checks all others.
 */
function isUsualRequest(body: unknown, others: ReadonlySet<string>): body is PredictRequest {
  if (typeof body !== 'object' || body === null) return false;
  for (const key in body) {
    const value = (body as Record<string, unknown>)[key];
    if (key === 'features') {
      if (!isFeatures(value)) return false;
    } else if (key === 'model' || key === 'model_version') {
      if (typeof value !== 'string') return false;
    } else if (key === 'non_finite' || !others.has(key)) return false;
  }
  return 'features' in body;
}

/** The body without members of these names, except those that a request has itself. */
function without(body: unknown, others: ReadonlySet<string>): unknown {
  if (others.size === 0 || typeof body !== 'object' || body === null) return body;
  const own = Object.entries(body).filter(
    ([name]) => !others.has(name) || name in predictRequest.shape,
  );
  return Object.fromEntries(own);
}
