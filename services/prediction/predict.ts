/** @module `POST /predict`: rows of features in, predictions out. */

import type { z } from '@hono/zod-openapi';
import { type InferResult, type Runtime, roundMs, ServeError } from '../../runtime/index.ts';
import { parseJson } from '../http/codec-json.ts';
import type { Answer, InferRoute } from '../http/edge.ts';
import type { Exchange } from '../http/exchange.ts';
import { predictRequest } from './schema.ts';

const BODY_LIMIT = 1024 * 1024;

export function predictRoute(runtime: Runtime): InferRoute {
  return {
    path: '/predict',
    limit: BODY_LIMIT,
    answer: (exchange, text) => predict(runtime, exchange, text),
  };
}

async function predict(runtime: Runtime, exchange: Exchange, text: string): Promise<Answer> {
  const parsed = predictRequest.safeParse(parseJson(text));
  if (!parsed.success) throw invalid(parsed.error);
  const { model, model_version, features } = parsed.data;
  const result = await runtime.infer({
    model,
    version: model_version,
    features,
    timeoutMs: exchange.timeLeft(runtime.clock),
    signal: exchange,
  });
  return {
    body: JSON.stringify(encode(result, Array.isArray(features[0]), exchange.id)),
    timings: result.timings,
    maxRows: result.maxRows,
  };
}

/** @param many Whether the question was a list of rows, whose answer is a list also for a single row. */
function encode(result: InferResult, many: boolean, requestId: string): object {
  const { predictions, version: model_version } = result;
  const inference_time_ms = roundMs(result.timings.computeMs);
  const request_id = requestId;
  if (many) return { predictions, model_version, inference_time_ms, request_id };
  const { prediction, confidence } = predictions[0]!;
  return { prediction, confidence, model_version, inference_time_ms, request_id };
}

function invalid({ issues }: z.ZodError): ServeError {
  const { path, message } = issues[0]!;
  return new ServeError('INVALID_ARGUMENT', `${path.join('.') || 'The body'} ${message}.`);
}
