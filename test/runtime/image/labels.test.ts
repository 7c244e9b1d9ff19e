/** @module Names of classes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBackground } from '../../../runtime/image/labels.ts';

test('the class of no thing is told by its name, however it is written', () => {
  for (const name of [
    'background',
    '__background__',
    '_Background',
    'BACKGROUND',
    '(background)',
  ]) {
    assert.equal(isBackground(name), true, name);
  }
  for (const name of ['background wall', 'backgrounds', 'foreground', '', undefined]) {
    assert.equal(isBackground(name), false, String(name));
  }
});
