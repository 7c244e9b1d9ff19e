/** @module The layers after the pooling of an embedding model. */

import type { DenseLayer } from '../../text/text-model.ts';
import { sigmoid } from '../scores.ts';

/** The output of a layer. @param input Has `inFeatures` numbers. */
export function applyDense(
  { inFeatures, outFeatures, weight, bias, activation }: DenseLayer,
  input: Float64Array,
): Float64Array {
  const output = new Float64Array(outFeatures);
  for (let row = 0; row < outFeatures; row += 1) {
    const start = row * inFeatures;
    let sum = bias?.[row] ?? 0;
    for (let i = 0; i < inFeatures; i += 1) sum += weight[start + i]! * input[i]!;
    output[row] = sum;
  }
  const activate = ACTIVATIONS[activation];
  return activate === undefined ? output : output.map(activate);
}

const ACTIVATIONS: Readonly<
  Record<DenseLayer['activation'], ((value: number) => number) | undefined>
> = {
  identity: undefined,
  tanh: Math.tanh,
  relu: (value) => Math.max(value, 0),
  gelu: (value) => (value * (1 + errorFunction(value / Math.SQRT2))) / 2,
  sigmoid,
};

/** Coefficients of the Chebyshev fit of erfc in Numerical Recipes (Press et al.), with a relative error below 1.2e-7. */
const FIT = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
  -0.82215223, 0.17087277,
] as const;

function errorFunction(value: number): number {
  const t = 1 / (1 + Math.abs(value) / 2);
  const fit = FIT.reduceRight((sum: number, coefficient) => sum * t + coefficient, 0);
  const complement = t * Math.exp(fit - value * value);
  return value >= 0 ? 1 - complement : complement - 1;
}
