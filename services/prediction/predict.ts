/** @module `POST /predict`: rows of features in, predictions out. */

import {
  type ModelVersion,
  type NonFinite,
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
      const body = checked(json);
      return { id, body, nonFinite: toNonFinite(body.non_finite, 'string') };
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
      if (isList(body)) return { body: stringify({ predictions, ...about }, nonFinite) };
      const { prediction, confidence } = predictions[0]!;
      return { body: stringify({ prediction, confidence, ...about }, nonFinite) };
    },
  };
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

function checked(body: unknown): PredictRequest {
  if (isUsualRequest(body)) return body;
  const parsed = predictRequest.safeParse(body);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new ServeError('INVALID_ARGUMENT', `${path.join('.') || 'The body'} ${message}.`);
}

/**
 * Whether a body has the form that nearly all requests have. These skip the schema, which takes as long as the
 * rest of the decoding; the schema checks all others.
 */
function isUsualRequest(body: unknown): body is PredictRequest {
  if (typeof body !== 'object' || body === null) return false;
  for (const key in body) {
    const value = (body as Record<string, unknown>)[key];
    if (key === 'features' ? !isFeatures(value) : typeof value !== 'string') return false;
    if (key !== 'features' && key !== 'model' && key !== 'model_version') return false;
  }
  return 'features' in body;
}
