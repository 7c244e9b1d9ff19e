/** @module `POST /predict`: rows of features in, predictions out. */

import {
  type Clock,
  type InferRequest,
  type InferResult,
  type Runtime,
  roundMs,
  ServeError,
} from '../../runtime/index.ts';
import { readJson } from '../http/codec-json.ts';
import type { Encoded, InferRoute } from '../http/edge.ts';
import type { RequestContext } from '../http/request-context.ts';
import { type PredictRequest, predictRequest } from './schema.ts';

const BODY_LIMIT = 1024 * 1024;

export function predictRoute(runtime: Runtime): InferRoute<unknown, InferRequest, InferResult> {
  return {
    path: '/predict',
    limit: BODY_LIMIT,
    read: readJson,
    decode: (body, context) => decode(body, context, runtime.clock),
    run: (request) => runtime.infer(request),
    encode,
  };
}

function decode(body: unknown, context: RequestContext, clock: Clock): InferRequest {
  const { model, model_version, features } = checked(body);
  const timeoutMs = context.timeLeft(clock);
  return { model, version: model_version, features, timeoutMs, signal: context };
}

function checked(body: unknown): PredictRequest {
  if (isPlain(body)) return body;
  const parsed = predictRequest.safeParse(body);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new ServeError('INVALID_ARGUMENT', `${path.join('.') || 'The body'} ${message}.`);
}

function encode(result: InferResult, request: InferRequest, context: RequestContext): Encoded {
  const { predictions, version: model_version } = result;
  const inference_time_ms = roundMs(result.timings.computeMs);
  const request_id = context.id;
  // A list of rows is answered by a list, also where it has a single row.
  if (Array.isArray(request.features[0])) {
    return { body: JSON.stringify({ predictions, model_version, inference_time_ms, request_id }) };
  }
  const { prediction, confidence } = predictions[0]!;
  const answer = { prediction, confidence, model_version, inference_time_ms, request_id };
  return { body: JSON.stringify(answer) };
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
