/** @module `POST /predict`: rows of features in, predictions out. */

import {
  type ModelVersion,
  roundMs,
  ServeError,
  type TabularTask,
  type TaskName,
} from '../../runtime/index.ts';
import { readJson } from '../http/codec-json.ts';
import type { InferRoute } from '../http/edge.ts';
import { type PredictRequest, predictRequest } from './schema.ts';

const BODY_LIMIT = 1024 * 1024;
const TASKS: readonly TaskName[] = ['classification', 'regression', 'raw'];

/** A request with the id that its response carries. */
interface PredictInput {
  readonly id: string;
  readonly body: PredictRequest;
}

export const predictRoute: InferRoute<unknown, PredictInput, undefined> = {
  path: '/predict',
  limit: BODY_LIMIT,
  read: readJson,
  decode: (body, { id }) => ({ id, body: checked(body) }),
  route: ({ body }) => ({ model: body.model, version: body.model_version, tasks: TASKS }),
  prepare({ body }, version) {
    const task = taskOf(version);
    const { runs, context } = task.prepare(body.features, undefined);
    return { runs, outputs: task.outputs, context };
  },
  respond({ version, outputs, timings, context }, { id, body }) {
    const predictions = taskOf(version).decode(outputs, context);
    const about = {
      model_version: version.version,
      inference_time_ms: roundMs(timings.computeMs),
      request_id: id,
    };
    // A list of rows has a list as its response, also where it has a single row.
    if (Array.isArray(body.features[0])) return { body: JSON.stringify({ predictions, ...about }) };
    const { prediction, confidence } = predictions[0]!;
    return { body: JSON.stringify({ prediction, confidence, ...about }) };
  },
};

/** @throws {ServeError} why the version takes no rows of features. */
function taskOf({ task }: ModelVersion): TabularTask {
  if (task instanceof ServeError) throw task;
  return task;
}

function checked(body: unknown): PredictRequest {
  if (isPlain(body)) return body;
  const parsed = predictRequest.safeParse(body);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new ServeError('INVALID_ARGUMENT', `${path.join('.') || 'The body'} ${message}.`);
}

/**
 * Whether a body is what nearly all are. It spares them the schema, which takes as long as the rest of
 * the decoding; whatever this does not know, the schema judges.
 */
function isPlain(body: unknown): body is PredictRequest {
  if (typeof body !== 'object' || body === null) return false;
  for (const key in body) {
    const value = (body as Record<string, unknown>)[key];
    if (key === 'features' ? !Array.isArray(value) : typeof value !== 'string') return false;
    if (key !== 'features' && key !== 'model' && key !== 'model_version') return false;
  }
  return 'features' in body;
}
