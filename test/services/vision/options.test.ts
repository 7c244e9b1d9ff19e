/** @module Tests how options are read that are texts of forms and queries, and how those of JSON are. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from '@hono/zod-openapi';
import { ServeError } from '../../../runtime/index.ts';
import type { Texts } from '../../../services/vision/intake/index.ts';
import { readOptions, valuesOf } from '../../../services/vision/options.ts';

const schema = z.strictObject({
  number: z.number().optional(),
  flag: z.boolean().optional(),
  names: z.array(z.string()).optional(),
  text: z.string().optional(),
});

const read = (texts: Texts, members: Readonly<Record<string, unknown>> = {}) =>
  readOptions(schema, { texts, members }, new Set(['user']));

function refusal(texts: Texts, members: Readonly<Record<string, unknown>> = {}): string {
  try {
    return JSON.stringify(read(texts, members));
  } catch (error) {
    if (error instanceof ServeError) return error.message;
    throw error;
  }
}

describe('options that are texts', () => {
  test('are numbers as JSON writes them', () => {
    for (const text of ['0.25', '-1', '2e2', '1E-1', ' 3 ']) {
      assert.deepEqual(read({ number: text }), { number: Number(text) });
    }
    for (const text of ['0x10', '0b1', '0o7', '+1', '01', '.5', '1.', 'Infinity', 'NaN', ' ']) {
      assert.match(refusal({ number: text }), /^number must be a number but is "/, text);
    }
    assert.match(refusal({ number: '1e999' }), /^number must be a finite number/);
    assert.match(refusal({ number: ['1', '2'] }), /^number must be a number/);
  });

  test('are truth values by word or digit', () => {
    for (const text of ['true', '1']) assert.deepEqual(read({ flag: text }), { flag: true });
    for (const text of ['false', '0']) assert.deepEqual(read({ flag: text }), { flag: false });
    assert.match(refusal({ flag: 'yes' }), /^flag must be true or false but is "yes"/);
  });

  test('are lists with commas, of which empty names do not count beside others', () => {
    const lists: readonly (readonly [string | string[], string[]])[] = [
      ['star,', ['star']],
      [',star, , cross', ['star', 'cross']],
      [
        ['a,b', 'c,'],
        ['a', 'b', 'c'],
      ],
      [',', ['', '']],
    ];
    for (const [text, names] of lists) assert.deepEqual(read({ names: text }), { names });
  });

  test('have the values of JSON, in which keys of splits stay texts', () => {
    assert.deepEqual(valuesOf(schema, { number: '1', flag: '1', names: 'a', user: '1' }), {
      ...{ number: 1, flag: true, names: ['a'] },
      user: '1',
    });
    assert.deepEqual(read({ number: '1', user: '1' }), { number: 1 });
  });
});

test('options of JSON are values, and go before texts', () => {
  assert.deepEqual(read({ number: '1', text: '2' }, { number: 3 }), { number: 3, text: '2' });
  assert.match(refusal({}, { number: '1' }), /^number must be a number but is "1"/);
  assert.match(refusal({}, { flag: 1 }), /^flag must be true or false but is 1/);
  assert.match(refusal({}, { names: 'a,b' }), /^names must be a list but is "a,b"/);
  assert.deepEqual(read({}, { names: ['a,', ''] }), { names: ['a,', ''] });
});
