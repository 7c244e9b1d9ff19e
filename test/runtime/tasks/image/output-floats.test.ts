/** @module Whose fault it is that outputs cannot be read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError } from '../../../../native/index.ts';
import { readingOf } from '../../../../runtime/tasks/image/output-floats.ts';
import { refused } from '../text/support.ts';

test('outputs that a function calls invalid are the fault of the model, and nothing else is', async () => {
  const invalid = new MillraceError('INVALID_ARGUMENT', 'The output of logits has no class');
  await assert.rejects(
    readingOf(Promise.reject(invalid)),
    refused('INTERNAL', /do not fit its head, .*: The output of logits has no class\.$/),
  );
  const others = [new MillraceError('RESOURCE_EXHAUSTED', 'Too many masks'), new Error('other')];
  for (const other of others) {
    await assert.rejects(readingOf(Promise.reject(other)), (error) => error === other);
  }
  assert.equal(await readingOf(Promise.resolve(1)), 1);
});
