/** @module The bit patterns of 16-bit floats, for which not every runtime has a typed array. */

/** The layout of a 16-bit float after its sign bit. */
interface HalfFormat {
  readonly exponentBits: number;
  readonly fractionBits: number;
}

export const FLOAT16: HalfFormat = { exponentBits: 5, fractionBits: 10 };
/** The upper half of a float32. */
export const BFLOAT16: HalfFormat = { exponentBits: 8, fractionBits: 7 };

/** The bits of the nearest value, ties to even; undefined for NaN and beyond the range. */
export function toHalfBits(
  { exponentBits, fractionBits }: HalfFormat,
  value: number,
): number | undefined {
  if (!Number.isFinite(value)) return undefined;
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  // Numbers below the least normal one have its exponent.
  const exponent = Math.max(size === 0 ? -Infinity : Math.floor(Math.log2(size)), 1 - bias);
  const steps = roundToEven(size / 2 ** (exponent - fractionBits));
  // The leading 1 of a normal number, which is among the steps, adds the 1 that its exponent lacks here.
  const bits = (exponent + bias - 1) * 2 ** fractionBits + steps;
  return bits >= (2 ** exponentBits - 1) << fractionBits ? undefined : sign | bits;
}

export function fromHalfBits({ exponentBits, fractionBits }: HalfFormat, bits: number): number {
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits & 0x7fff) >>> fractionBits;
  const fraction = bits & (2 ** fractionBits - 1);
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (2 ** fractionBits + fraction) * 2 ** (exponent - bias - fractionBits);
}

function roundToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** Moves the exponent of a 16-bit float, whose bits are written as those of a float32, to where that of a float32 begins. */
const EXPONENTS = 2 ** 112;
const EXPONENT_BITS = 0x7c00;

/** The values of many float16 at once, which is quicker than one by one. @param bits As in a tensor of float16. */
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
