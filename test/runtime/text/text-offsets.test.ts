/** @module Places in texts in three units. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TextOffsets } from '../../../runtime/text/tokenizer/index.ts';

const unicode = fc
  .string({ unit: 'binary', maxLength: 2000 })
  .filter((text) => text.isWellFormed());

describe('places', () => {
  test('are those of the same character in each unit', () => {
    fc.assert(
      fc.property(unicode, fc.array(fc.nat(2000), { maxLength: 20 }), (text, places) => {
        const points = [...text];
        const offsets = new TextOffsets(text);
        for (const place of places) {
          const before = points.slice(0, place).join('');
          assert.equal(offsets.at(place, 'codepoint'), place);
          assert.equal(offsets.at(place, 'utf16'), before.length);
          assert.equal(offsets.at(place, 'utf8'), Buffer.byteLength(before));
        }
      }),
    );
  });

  test('are found in any order in a long text', () => {
    const text = 'a👍🏽é的\u0301'.repeat(50_000);
    const points = [...text];
    const offsets = new TextOffsets(text);
    for (const place of [points.length, 7, points.length - 1, 123_456, 0]) {
      const before = points.slice(0, place).join('');
      assert.equal(offsets.at(place, 'utf16'), before.length);
      assert.equal(offsets.at(place, 'utf8'), Buffer.byteLength(before));
    }
  });
});
