/** @module Many 16-bit floats at once. */

/** Moves the exponent of a 16-bit float, whose bits are written as those of a float32, to where that of a float32 begins. */
const EXPONENTS = 2 ** 112;
const EXPONENT_BITS = 0x7c00;

/** @param bits As in a tensor of float16. */
export function floatsOfHalves(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  const floats = new Float32Array(words.buffer);
  for (let i = 0; i < bits.length; i += 1) {
    const half = bits[i]!;
    const sign = (half & 0x8000) << 16;
    if ((half & EXPONENT_BITS) === EXPONENT_BITS) {
      // Infinity, and NaN with its fraction.
      words[i] = (sign | 0x7f800000 | ((half & 0x3ff) << 13)) >>> 0;
      continue;
    }
    words[i] = (sign | ((half & 0x7fff) << 13)) >>> 0;
    // Exact, also for numbers below the least normal one.
    floats[i]! *= EXPONENTS;
  }
  return floats;
}
