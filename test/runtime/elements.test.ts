import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { datatypes, type ElementType } from '../../native/index.ts';
import { createTensor, describeValue, elementCodec, jsonElement } from '../../runtime/elements.ts';
import { BFLOAT16, FLOAT16, fromHalfBits, toHalfBits } from '../../runtime/half-floats.ts';
import { jsonFloat, type NonFinite, stringify, toNonFinite } from '../../runtime/non-finite.ts';

describe('16-bit floats', () => {
  test('every finite float16 and bfloat16 converts to a number and back to the same bits, and others are refused', () => {
    for (const format of [FLOAT16, BFLOAT16]) {
      for (let bits = 0; bits < 0x10000; bits += 1) {
        const value = fromHalfBits(format, bits);
        if (Number.isFinite(value)) assert.equal(toHalfBits(format, value), bits, String(value));
        else assert.equal(toHalfBits(format, value), undefined);
      }
    }
  });

  test('a number between two values is rounded to the nearer one, and one halfway to the even one', () => {
    for (const format of [FLOAT16, BFLOAT16]) {
      const last = format === FLOAT16 ? 0x7bff : 0x7f7f;
      for (let bits = 0; bits < last; bits += 1) {
        const [low, high] = [fromHalfBits(format, bits), fromHalfBits(format, bits + 1)];
        const middle = (low + high) / 2;
        assert.equal(toHalfBits(format, middle), bits + (bits % 2));
        assert.equal(toHalfBits(format, middle * (1 - 2 ** -40)), bits);
        assert.equal(toHalfBits(format, middle * (1 + 2 ** -40)), bits + 1);
      }
    }
    assert.equal(toHalfBits(FLOAT16, 65519.99), 0x7bff);
    assert.equal(toHalfBits(FLOAT16, 65520), undefined, 'which is nearer to infinity');
  });
});

describe('elements from JSON', () => {
  test('the largest float32 is accepted as it is usually written, and numbers that round to infinity are refused', () => {
    const { encode } = elementCodec('float32', false);
    assert.equal(Math.fround(Number(encode(3.4028235e38))), 3.4028234663852886e38);
    for (const value of [3.4028235677973366e38, -3.4028236e38, 1e40, Infinity, Number.NaN]) {
      assert.equal(encode(value), undefined, String(value));
      assert.ok(Math.abs(Math.fround(value)) > 3.5e38 || Number.isNaN(value));
    }
  });

  test('a bigint becomes a number in float64, and is refused by types that it does not fit', () => {
    assert.equal(elementCodec('float64', false).encode(2n ** 64n), 2 ** 64);
    assert.equal(elementCodec('float16', false).encode(2n ** 64n), undefined);
    assert.equal(elementCodec('uint32', false).encode(2n ** 64n), undefined);
  });

  test('null becomes NaN in floats if missing values are allowed, and is refused otherwise', () => {
    for (const type of ['float32', 'float64'] as const) {
      assert.ok(Number.isNaN(elementCodec(type, true).encode(null)));
    }
    assert.equal(elementCodec('float16', true).encode(null), 0x7e00);
    assert.equal(elementCodec('bfloat16', true).encode(null), 0x7fc0);
    for (const type of ['float32', 'int64', 'bool', 'string'] as const) {
      assert.equal(elementCodec(type, type !== 'float32').encode(null), undefined);
    }
  });

  test('a number of many digits is shortened in a message', () => {
    assert.equal(describeValue(10n ** 300n), `1${'0'.repeat(39)}…`);
  });
});

describe('NaN and the infinities', () => {
  const written = (nonFinite: NonFinite) => {
    const data = Float32Array.of(1.5, Number.NaN, Infinity, -Infinity);
    const tensor = { type: 'float32', dims: [4], data } as const;
    const values = Array.from(data, (_, i) => jsonElement(tensor, i, nonFinite));
    return stringify({ values, text: '0e999 "1e999" \\', '-1e999': 1 }, nonFinite);
  };
  const rest = String.raw`,"text":"0e999 \"1e999\" \\","-1e999":1}`;

  test('are written as strings, as null or as literals without quotes, and other strings stay unchanged', () => {
    assert.equal(written('string'), `{"values":[1.5,"NaN","Infinity","-Infinity"]${rest}`);
    assert.equal(written('null'), `{"values":[1.5,null,null,null]${rest}`);
    assert.equal(written('literal'), `{"values":[1.5,NaN,Infinity,-Infinity]${rest}`);
  });

  test('are written as literals also beside a long string of quotes and backslashes', () => {
    const text = 'x\\"'.repeat(1e5);
    const json = stringify({ text, value: jsonFloat(Number.NaN, 'literal') }, 'literal');
    assert.ok(json.endsWith(',"value":NaN}'));
    assert.equal(json.length, JSON.stringify({ text }).length + ',"value":NaN'.length);
  });

  test('are written in one of three forms, and other names of forms are refused', () => {
    assert.equal(toNonFinite(undefined, 'literal'), 'literal');
    assert.equal(toNonFinite('null', 'string'), 'null');
    for (const wrong of ['NaN', 1, null, true]) {
      assert.throws(() => toNonFinite(wrong, 'string'), /must be "string", "null" or "literal"/);
    }
  });
});

describe('a tensor of elements', () => {
  const types = Object.keys(datatypes) as ElementType[];

  for (const type of types) {
    test(`of ${type} has the storage of its type and the length of its shape`, () => {
      const data = elementCodec(type, false).allocate(6);
      assert.deepEqual(createTensor(type, [2, 3], data), { type, dims: [2, 3], data });
      assert.throws(() => createTensor(type, [2, 2], data), TypeError);
      const other = type === 'string' ? new Uint8Array(6) : ['a', 'b', 'c', 'd', 'e', 'f'];
      assert.throws(() => createTensor(type, [2, 3], other), TypeError);
    });
  }

  test('may be a scalar or empty', () => {
    assert.equal(createTensor('float32', [], new Float32Array(1)).data.length, 1);
    assert.equal(createTensor('string', [0, 4], []).data.length, 0);
  });
});
