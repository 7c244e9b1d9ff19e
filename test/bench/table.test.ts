import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figure, spread, table } from '../../bench/lib/table.ts';

test('table aligns its first column left and the others right', () => {
  const text = table(
    ['name', 'n'],
    [
      ['a', '1'],
      ['longer', '1,000'],
    ],
  );
  assert.deepEqual(text.split('\n'), [
    'name        n',
    '------  -----',
    'a           1',
    'longer  1,000',
  ]);
});

test('table accepts a row that is too short', () => {
  assert.equal(table(['a', 'b'], [['x']]).split('\n')[2], 'x');
});

test('figure keeps three significant digits and groups thousands', () => {
  assert.deepEqual([0.94321, 12.345, 69_213, 0].map(figure), ['0.943', '12.3', '69,200', '0']);
  assert.equal(figure(0.00012), '1.2e-4');
  assert.equal(figure(Number.NaN), '–');
});

test('spread is shown as a deviation to both sides', () => {
  assert.equal(spread(0.08), '±4.0 %');
  assert.equal(spread(0.5), '±25 %');
});
