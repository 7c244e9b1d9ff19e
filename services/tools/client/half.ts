/** @module Converts numbers to the bits of 16-bit floats, rounding to nearest with ties to even. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Drops the low `count` bits, with rounding. */
function rounded(value: number, count: number): number {
  const kept = value >>> count;
  const rest = value & (2 ** count - 1);
  const half = 2 ** (count - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

/** The bits of a bfloat16, which are the upper half of a float32. */
export function bfloat16Bits(value: number): number {
  float[0] = value;
  return Number.isNaN(value) ? 0x7fc0 : rounded(bits[0]!, 16) & 0xffff;
}

/** The bits of an IEEE 754 binary16. */
export function float16Bits(value: number): number {
  float[0] = value;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const magnitude = bits[0]! & 0x7fffffff;
  if (Number.isNaN(value)) return 0x7e00;
  // Numbers of this size and larger round to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Subnormal numbers have a fixed step of 2^-24.
  if (magnitude < 0x38800000) {
    const steps = Math.abs(float[0]!) * 2 ** 24;
    const whole = Math.floor(steps);
    const rest = steps - whole;
    return sign | (rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? whole + 1 : whole);
  }
  return sign | rounded(magnitude - (112 << 23), 13);
}
