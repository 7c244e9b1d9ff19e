/**
 * The body of a `/predict` response, as every contender returns it.
 *
 * @module
 */

export interface PredictResponse {
  readonly prediction: string | number;
  readonly confidence: number;
  readonly model_version: string;
  readonly inference_time_ms: number;
  readonly request_id: string;
}

/** The best class of a row of scores. Ties go to the first. */
export function best(scores: ArrayLike<number>): { index: number; score: number } {
  let index = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[index]!) index = i;
  return { index, score: scores[index]! };
}

/** The response of a classifier to one row of scores. */
export function predictResponse(scores: ArrayLike<number>, inferenceMs: number): PredictResponse {
  const { index, score } = best(scores);
  return {
    prediction: index,
    confidence: Math.round(score * 1e6) / 1e6,
    model_version: '1',
    inference_time_ms: Math.round(inferenceMs * 1e3) / 1e3,
    request_id: `req_${crypto.randomUUID()}`,
  };
}

/** A fixed response whose JSON has `bytes` bytes, or more if its fields take more. */
export function paddedResponse(bytes: number): PredictResponse {
  const fixed = { ...predictResponse([1], 0.213), request_id: 'req_' };
  const missing = bytes - JSON.stringify(fixed).length;
  return { ...fixed, request_id: fixed.request_id.padEnd(4 + Math.max(0, missing), '0') };
}
