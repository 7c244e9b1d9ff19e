/** @module What the predictions of a response say as a whole, for the comparison of versions. */

import type { Predicted, Prediction } from '../../runtime/index.ts';

/** @param isList Whether the response is a list of predictions, even if it has only one. */
export function predictedBy(predictions: readonly Prediction[], isList: boolean): Predicted {
  const prediction = isList ? predictions.map((row) => row.prediction) : predictions[0]?.prediction;
  return { prediction, confidence: meanConfidence(predictions) };
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
