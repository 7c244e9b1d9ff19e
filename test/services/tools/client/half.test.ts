/** @module Checks the bits of 16-bit floats against the values that they represent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bfloat16Bits, float16Bits } from '../../../../services/tools/client/half.ts';

/** The value of a binary16 by the definition of IEEE 754. */
function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

test('every binary16 except NaN converts to a number and back unchanged', () => {
  for (let bits = 0; bits < 0x10000; bits += 1) {
    const value = float16Value(bits);
    if (!Number.isNaN(value)) assert.equal(float16Bits(value), bits, `${value}`);
  }
  assert.ok(Number.isNaN(float16Value(float16Bits(Number.NaN))));
});

test('a number halfway between two binary16 values rounds to the even one', () => {
  for (let bits = 0; bits < 0x7bff; bits += 1) {
    const between = (float16Value(bits) + float16Value(bits + 1)) / 2;
    assert.equal(float16Bits(between), bits % 2 === 0 ? bits : bits + 1, `${between}`);
  }
  assert.equal(float16Bits(65519.996), 0x7bff);
  assert.equal(float16Bits(65520), 0x7c00);
});

test('bfloat16 is the upper half of a float32, rounded to even', () => {
  const view = new DataView(new ArrayBuffer(4));
  for (let bits = 0; bits < 0x10000; bits += 1) {
    view.setUint32(0, bits * 0x10000);
    const value = view.getFloat32(0);
    if (!Number.isNaN(value)) assert.equal(bfloat16Bits(value), bits);
  }
  assert.equal(bfloat16Bits(1 + 2 ** -8), 0x3f80);
  assert.equal(bfloat16Bits(1 + 3 * 2 ** -8), 0x3f82);
});
