/** @module The dot product of vectors. */

/** The dot product, which is the cosine if both vectors have the length 1. @param b Has as many numbers as `a`. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}
