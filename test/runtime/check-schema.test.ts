/** @module What an error says about a value of a configuration file. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { checkSchema } from '../../runtime/check-schema.ts';
import { modelConfigSchema } from '../../runtime/repository/index.ts';

const mistakes: readonly (readonly [unknown, string])[] = [
  ['text', 'it must be an object but is "text"'],
  [{ label: [] }, "it has the unknown key 'label'; write 'labels'"],
  [{ batching: { maxRow: 4 } }, "batching has the unknown key 'maxRow'; write 'maxRows'"],
  [{ batching: { maxRows: '4' } }, 'batching.maxRows must be a number but is "4"'],
  [{ batching: { maxDelayMs: '5' } }, 'batching.maxDelayMs must be a number but is "5"'],
  [
    { batching: { policy: 'foo' } },
    'batching.policy must be one of "excess", "busy", "timer" but is "foo"',
  ],
  [{ batching: true }, 'batching must be false or an object but is true'],
  [{ batching: { axes: { n: {} } } }, 'batching.axes.n.buckets must be a list but is missing'],
  [
    { batching: { axes: { n: { buckets: [] } } } },
    'batching.axes.n.buckets must be a list whose length is at least 1 but is []',
  ],
  [
    { device_options: { fp16: [] } },
    'device_options.fp16 must be true or false or a number or a string but is []',
  ],
  [
    { device: 'gpu' },
    'device must be cpu, auto, cuda, cuda:N, cuda:all, tensorrt, tensorrt:N or tensorrt:all but is "gpu"',
  ],
  [{ instances: 0 }, 'instances must be at least 1 but is 0'],
  [{ instances: 1.5 }, 'instances must be a whole number but is 1.5'],
  [{ weight: 0 }, 'weight must be more than 0 but is 0'],
  [{ run_limit_ms: 1e12 }, 'run_limit_ms must be at most 86400000 but is 1000000000000'],
  [{ labels: ['a', 1] }, 'labels[1] must be a string but is 1'],
  [{ missing: 'zero' }, 'missing must be "nan" but is "zero"'],
];

const faultOf = (checked: object) => ('fault' in checked ? checked.fault : undefined);

for (const [value, fault] of mistakes) {
  test(`${JSON.stringify(value)} is refused with the key, the expected value and the actual one`, () => {
    assert.equal(faultOf(checkSchema(modelConfigSchema, value)), fault);
  });
}

test('an unknown key that resembles no other is refused with the list of keys', () => {
  const result = checkSchema(modelConfigSchema, { colour: 'red' });
  assert.match(
    'fault' in result ? result.fault : '',
    /^it has the unknown key 'colour'; its keys are task, /,
  );
});

test('a long value is shortened in the message', () => {
  const result = checkSchema(modelConfigSchema, { labels: 'x'.repeat(1000) });
  assert.ok('fault' in result && result.fault.length < 100);
});

test('a number that is too long for a double, or overflows it, is shown as it is', () => {
  const schema = z.strictObject({ seed: z.int() });
  const wrong = (seed: unknown) => checkSchema(schema, { seed });
  const member = 'seed';
  assert.deepEqual(wrong(2n ** 64n), {
    fault: 'seed must be a number that is less than 2^53 but is 18446744073709551616',
    member,
  });
  assert.deepEqual(wrong(JSON.parse('1e400')), {
    fault: 'seed must be a finite number but is Infinity',
    member,
  });
  assert.deepEqual(wrong([2n ** 64n]), {
    fault: 'seed must be a number but is [18446744073709552000]',
    member,
  });
});

test('the bound of a string is one of its length', () => {
  assert.deepEqual(checkSchema(z.string().min(1), ''), {
    fault: 'it must be a string whose length is at least 1 but is ""',
  });
});

test('a list that is wrong itself is named by its index', () => {
  const checked = checkSchema(z.array(z.object({ type: z.string() })), [{}]);
  assert.deepEqual(checked, { fault: '[0].type must be a string but is missing' });
});

test('a mistake names the member that has it, and the value itself as the caller does', () => {
  const schema = z.strictObject({ text: z.string().optional(), parameters: z.strictObject({}) });
  const of = (value: unknown) => checkSchema(schema, value, 'The body');
  assert.deepEqual(of(5), { fault: 'The body must be an object but is 5' });
  assert.deepEqual(of({ parameters: {}, txt: 'a' }), {
    fault: "The body has the unknown key 'txt'; write 'text'",
    member: 'txt',
  });
  const inside = of({ parameters: { seed: 1 } });
  assert.equal('member' in inside && inside.member, 'parameters');
});
