/** @module The inputs that a warm-up describes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ElementType } from '../../native/index.ts';
import { ServeError } from '../../runtime/index.ts';
import type { WarmupInput } from '../../runtime/repository/index.ts';
import { warmupInputs, zeroRow } from '../../runtime/warmup.ts';

const signatureOf = (type: ElementType, dims: readonly number[] = [-1, 3]) => ({
  inputs: [{ name: 'x', type, dims, symbols: dims.map(() => '') }],
  outputs: [],
  batching: { enabled: true, maxRows: 8, reason: '' },
});

interface InputOptions {
  readonly type?: ElementType;
  readonly rows?: number;
  readonly mostRows?: number;
  readonly input?: Partial<WarmupInput>;
}

function made({ type = 'float32', rows = 2, mostRows = 8, input = {} }: InputOptions) {
  const whole = { name: 'x', datatype: undefined, dims: [3], data: 'zero', ...input } as const;
  const warmup = { name: 'w', rows, runs: 1, inputs: [whole] };
  return warmupInputs(warmup, signatureOf(type), mostRows).x!;
}

const ALL: readonly ElementType[] = [
  ...(['float32', 'float64', 'float16', 'bfloat16', 'bool', 'string'] as const),
  ...(['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'] as const),
];

describe('an input of', () => {
  for (const type of ALL) {
    test(`${type} can be zeros or random`, () => {
      const zero = made({ type });
      assert.deepEqual([zero.type, zero.dims, zero.data.length], [type, [2, 3], 6]);
      assert.ok(
        [...zero.data].every((value) => (type === 'string' ? value === '' : Number(value) === 0)),
      );
      const random = made({ type, rows: 8, input: { data: 'random' } });
      assert.equal(random.data.length, 24);
      assert.ok(new Set<unknown>(random.data).size > 1, 'they differ');
    });
  }

  test('random floats is from 0 to 1, and one of random integers has 0 and 1', () => {
    const values = (type: ElementType) => [...made({ type, input: { data: 'random' } }).data];
    assert.ok(values('float32').every((value) => Number(value) >= 0 && Number(value) < 1));
    assert.ok(values('int64').every((value) => value === 0n || value === 1n));
    assert.ok(values('float16').every((bits) => Number(bits) < 0x3c00));
  });
});

describe('a file', () => {
  test('holds one row, which is repeated', () => {
    const data = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
    assert.deepEqual(made({ input: { data } }).data, Float32Array.of(1, 2, 3, 1, 2, 3));
  });

  test('of strings has the length before each string, which may have any bytes', () => {
    const data = Uint8Array.of(1, 0, 0, 0, 97, 0, 0, 0, 0, 2, 0, 0, 0, 98, 255);
    const { data: strings } = made({ type: 'string', input: { data } });
    assert.deepEqual(strings, Uint8Array.of(...data, ...data));
  });
});

describe('a warm-up is refused for', () => {
  const cases: Readonly<Record<string, readonly [InputOptions, RegExp]>> = {
    'an input of another name': [{ input: { name: 'z' } }, /the input x is missing/],
    'another datatype': [{ input: { datatype: 'TYPE_INT8' } }, /TYPE_INT8, but .* TYPE_FP32/],
    'other dims': [{ input: { dims: [4] } }, /are \[4\], but the model has \[3\]/],
    'no dims': [{ input: { dims: [] } }, /the input x needs its dims/],
    'more rows than a run takes': [{ rows: 9 }, /batch_size is 9, but the model takes at most 8/],
    'rows for a model without rows': [{ mostRows: 0, input: { dims: [2, 3] } }, /takes at most 1/],
    'a file that is too short': [
      { input: { data: new Uint8Array(8) } },
      /has 8 bytes, but one row takes 12/,
    ],
    'a file that ends within a string': [
      { type: 'string', input: { data: Uint8Array.of(9, 0, 0, 0) } },
      /does not hold the 3 strings of one row/,
    ],
  };
  for (const [name, [options, message]] of Object.entries(cases)) {
    test(name, () =>
      assert.throws(
        () => made(options),
        (error: unknown) =>
          error instanceof ServeError &&
          error.code === 'INVALID_CONFIG' &&
          error.message.startsWith("model_warmup 'w': ") &&
          message.test(error.message),
      ),
    );
  }

  test('a dimension that is left open', () => {
    const input = { name: 'x', datatype: undefined, dims: [-1], data: 'zero' } as const;
    const warmup = { name: 'w', rows: 1, runs: 1, inputs: [input] };
    assert.throws(
      () => warmupInputs(warmup, signatureOf('float32', [-1, -1]), 8),
      /has the dims \[-1\]; a run needs each of them/,
    );
  });
});

test('a row of zeros has size 1 in dimensions that the model leaves open', () => {
  const { x } = zeroRow(signatureOf('float32', [-1, -1, 2]));
  assert.deepEqual(x, { type: 'float32', dims: [1, 1, 2], data: new Float32Array(2) });
});
