/** @module Requests are parsed and responses written on other threads than JavaScript's, within the byte budget. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openCodec } from '../../native/codec.ts';
import type { ByteBudget } from '../../native/index.ts';

const codec = openCodec();
const encoder = new TextEncoder();
const MIB = 2 ** 20;
const options = { nonFinite: 'literal', maxStrings: 131_072 } as const;

const input = (type: string, count: number, data: string) =>
  encoder.encode(
    `{"id":"7","inputs":[{"name":"x","datatype":"${type}","shape":[${count}],"data":${data}}]}`,
  );

/** A budget of `bytes` beside those that others in this process have taken. */
const budgetOf = (bytes: number): ByteBudget => codec.byteBudget(codec.byteBudget(0).taken + bytes);

describe('a request parsed on another thread', () => {
  const bodies: Readonly<Record<string, Uint8Array>> = {
    'of few numbers': input('FP32', 3, '[1,-2.5,NaN]'),
    'of no elements': input('INT64', 0, '[]'),
    'of 64-bit integers': input('INT64', 2, '[9007199254740993,-1]'),
    'of strings': input('BYTES', 3, '["","é\\n\\ud83d\\ude00","ab"]'),
    'of no strings': input('BYTES', 0, '[]'),
    'of more strings than are created in one turn': input(
      'BYTES',
      20_000,
      JSON.stringify(Array.from({ length: 20_000 }, (_, i) => `s${i}`)),
    ),
    'of many numbers': input('FP32', 300_000, `[${Array(300_000).fill('0.5').join()}]`),
  };
  for (const [name, body] of Object.entries(bodies)) {
    test(`${name} is parsed as on the JavaScript thread`, async () => {
      const budget = budgetOf(64 * MIB);
      const before = budget.taken;
      const { request, taken } = await codec.parseInferRequestAsync(body, -1, budget, options);
      assert.deepEqual(request, codec.parseInferRequest(body, -1, options));
      assert.equal(budget.taken - before, taken);
      budget.give(taken);
    });
  }

  test('leaves binary numbers in the body', async () => {
    const json = encoder.encode(
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}}]}',
    );
    const body = new Uint8Array([...json, ...new Uint8Array(Float32Array.of(1, 2).buffer)]);
    const budget = budgetOf(0);
    const { request, taken } = await codec.parseInferRequestAsync(body, json.length, budget);
    assert.equal(taken, 0);
    assert.equal((request.tensors.x!.data as Uint8Array).buffer, body.buffer);
  });

  test('is refused with the same message, and then holds no bytes of the budget', async () => {
    const budget = budgetOf(64 * MIB);
    const before = budget.taken;
    for (const body of [
      input('FP32', 2, '[1]'),
      input('FP32', 1, '["a"]'),
      input('BYTES', 131_073, `[${Array(131_073).fill('""').join()}]`),
      encoder.encode('{"inputs":'),
    ]) {
      const expected = (() => {
        try {
          codec.parseInferRequest(body, -1, options);
        } catch (error) {
          return (error as Error).message;
        }
        return 'nothing';
      })();
      await assert.rejects(codec.parseInferRequestAsync(body, -1, budget, options), {
        code: 'INVALID_ARGUMENT',
        message: expected,
      });
    }
    assert.equal(budget.taken, before);
  });

  test('is refused if the budget has no room, temporarily or permanently', async () => {
    const body = input('FP64', 1000, `[${Array(1000).fill(0).join()}]`);
    const strings = input('BYTES', 1000, `[${Array(1000).fill('""').join()}]`);
    const budget = budgetOf(10_000);
    assert.ok(budget.take(5000));
    await assert.rejects(codec.parseInferRequestAsync(body, -1, budget, options), {
      code: 'UNAVAILABLE',
    });
    budget.give(5000);
    await assert.rejects(codec.parseInferRequestAsync(strings, -1, budgetOf(0), options), {
      code: 'INVALID_ARGUMENT',
      message: /more memory than the server keeps/,
    });
    const { taken } = await codec.parseInferRequestAsync(body, -1, budget, options);
    assert.equal(taken, 8000);
    budget.give(taken);
  });
});

test('a parse on the JavaScript thread returns undefined for too many strings', () => {
  const body = input('BYTES', 3, '["a","b","c"]');
  assert.equal(codec.tryParseInferRequest(body, -1, 2, options), undefined);
  assert.deepEqual(codec.tryParseInferRequest(body, -1, 3, options)?.tensors.x?.data, [
    'a',
    'b',
    'c',
  ]);
});

test('a response written on another thread equals the one written on the JavaScript thread', async () => {
  const data = Float32Array.from({ length: 50_000 }, (_, i) => i / 7);
  const outputs = [
    { name: 'y', tensor: { type: 'float32', dims: [50_000], data } },
    { name: 'none', tensor: { type: 'float32', dims: [0], data: new Float32Array(0) } },
    { name: 's', tensor: { type: 'string', dims: [2], data: ['a"', 'é'] } },
    { name: 'b', binary: true, tensor: { type: 'float32', dims: [50_000], data } },
  ] as const;
  for (const some of [outputs, outputs.slice(0, 3), []]) {
    const response = { modelName: 'm', id: '7', outputs: some };
    const { body, headerLength } = codec.encodeInferResponse(response);
    assert.deepEqual(await codec.encodeInferResponseAsync(response), {
      body: typeof body === 'string' ? encoder.encode(body) : body,
      headerLength,
    });
  }
});

test('a response that cannot be written is refused as on the JavaScript thread', async () => {
  const tensor = { type: 'float32', dims: [1], data: Float32Array.of(Number.NaN) } as const;
  await assert.rejects(
    codec.encodeInferResponseAsync(
      { modelName: 'm', outputs: [{ name: 'y', tensor }] },
      { nonFinite: 'error' },
    ),
    { code: 'FAILED_PRECONDITION' },
  );
});

test('a budget grants no more than its limit, and counts the bytes of all holders', () => {
  const budget = budgetOf(100);
  const before = budget.taken;
  assert.ok(budget.take(60));
  assert.equal(budget.take(41), false);
  assert.ok(budget.take(40));
  assert.equal(codec.byteBudget(1).taken, before + 100);
  assert.equal(codec.byteBudget(budget.limit + 1).take(2), false);
  budget.give(100);
  assert.equal(budget.taken, before);
});

test('pieces of JSON are written one after the other, on either thread', async () => {
  const long = Float32Array.from({ length: 20_000 }, (_, i) => i / 7);
  const odd = Float32Array.of(0.1, -0, Number.NaN, 1e-7);
  const pieces = ['{"é":[', long, ',', odd.subarray(1, 3), ',', new Float32Array(0), ']}'];
  const bytes = codec.encodeJson(pieces);
  assert.deepEqual(await codec.encodeJsonAsync(pieces), bytes);
  const { é: rows } = JSON.parse(new TextDecoder().decode(bytes)) as { é: (number | null)[][] };
  assert.deepEqual(Float32Array.from(rows[0] as number[]), long);
  assert.deepEqual(rows.slice(1), [[-0, null], []]);
  assert.equal(new TextDecoder().decode(codec.encodeJson([odd.subarray(0, 1)])), '[0.1]');
  await assert.rejects(codec.encodeJsonAsync([odd], { nonFinite: 'error' }), {
    code: 'FAILED_PRECONDITION',
  });
});
