/** @module The windows of texts, whatever their tokens are. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { SpecialTokens } from '../../../runtime/text/tokenizer/special-tokens.ts';
import type { EncodeOptions } from '../../../runtime/text/tokenizer/tokenizer.ts';
import {
  pairWindows,
  type Sequence,
  textWindows,
  type WindowFacts,
} from '../../../runtime/text/tokenizer/windows.ts';

const CLS = 1;
const SEP = 2;
const specialTokens: SpecialTokens = {
  single: [
    { id: CLS, typeId: 0 },
    { text: 'first', typeId: 0 },
    { id: SEP, typeId: 0 },
  ],
  pair: [
    { id: CLS, typeId: 0 },
    { text: 'first', typeId: 0 },
    { id: SEP, typeId: 0 },
    { text: 'second', typeId: 1 },
    { id: SEP, typeId: 1 },
  ],
};
const facts: WindowFacts = { specialTokens, truncationSide: 'right' };

/** A text whose ids tell the places of its tokens. */
const sequence = (length: number, first = 100): Sequence => ({
  ids: Int32Array.from({ length }, (_, i) => first + i),
  offsets: Uint32Array.from({ length: 2 * length }, (_, i) => Math.ceil(i / 2)),
});

const length = fc.nat(300);
const window = fc.integer({ min: 12, max: 64 });
const stride = fc.nat(80);

/** The own tokens of a window: those of the first and of the second text. */
const ownOf = (ids: Int32Array, special: Uint8Array) => [...ids].filter((_, i) => special[i] === 0);

describe('the windows of a text', () => {
  test('hold every token, in its order, and overlap by the stride', () => {
    fc.assert(
      fc.property(length, window, stride, (tokens, size, wanted) => {
        const options: EncodeOptions = { window: size, stride: wanted };
        const { windows, ...about } = textWindows(sequence(tokens), 0, facts, options);
        assert.deepEqual(about, { length: tokens, prefixLength: 0, truncated: false });
        const room = size - 2;
        const overlap = Math.min(wanted, room >> 1);
        let next = 0;
        for (const [i, { ids, special, own, offsets }] of windows.entries()) {
          assert.ok(ids.length <= size);
          assert.equal(ids[0], CLS);
          assert.equal(ids.at(-1), SEP);
          assert.equal(own, ids.length - 2);
          const from = i === 0 ? 0 : next - overlap;
          assert.deepEqual(
            ownOf(ids, special),
            Array.from({ length: own }, (_, j) => 100 + from + j),
          );
          assert.deepEqual([...offsets!.subarray(2, 4)], own === 0 ? [0, 0] : [from, from + 1]);
          next = from + own;
        }
        assert.equal(next, tokens);
        assert.ok(windows.slice(0, -1).every(({ own }) => own === room));
      }),
    );
  });

  test('each begin with the prefix', () => {
    fc.assert(
      fc.property(length, fc.integer({ min: 1, max: 8 }), window, (tokens, prefix, size) => {
        const all = sequence(prefix + tokens);
        const { windows } = textWindows(all, prefix, facts, { window: size, stride: 0 });
        const seen: number[] = [];
        for (const { ids, special } of windows) {
          const own = ownOf(ids, special);
          assert.deepEqual(own.slice(0, prefix), [...all.ids.subarray(0, prefix)]);
          assert.ok(ids.length <= size);
          seen.push(...own.slice(prefix));
        }
        assert.deepEqual(seen, [...all.ids.subarray(prefix)]);
      }),
    );
  });

  test('are one, cut on its side, if that is asked for', () => {
    fc.assert(
      fc.property(length, window, fc.constantFrom('left', 'right'), (tokens, size, side) => {
        const options: EncodeOptions = { window: size, overflow: 'cut' };
        const { windows, truncated } = textWindows(
          sequence(tokens),
          0,
          { ...facts, truncationSide: side as 'left' | 'right' },
          options,
        );
        const [only, ...others] = windows;
        assert.equal(others.length, 0);
        const kept = Math.min(tokens, size - 2);
        const from = side === 'left' ? tokens - kept : 0;
        assert.deepEqual(
          ownOf(only!.ids, only!.special),
          Array.from({ length: kept }, (_, i) => 100 + from + i),
        );
        assert.equal(truncated, kept < tokens);
      }),
    );
  });

  test('are refused if the prefix leaves no room', () => {
    assert.throws(() => textWindows(sequence(20), 10, facts, { window: 12 }), {
      code: 'INVALID_ARGUMENT',
    });
  });
});

describe('the windows of a pair', () => {
  const parts = (ids: Int32Array, special: Uint8Array) => {
    const own = ownOf(ids, special);
    return [own.filter((id) => id < 1000), own.filter((id) => id >= 1000)] as const;
  };

  test('hold every token of the one that is divided, beside the other', () => {
    const sides = fc.constantFrom('only_first', 'only_second');
    fc.assert(
      fc.property(length, length, window, stride, sides, (one, other, size, wanted, side) => {
        const pairs = side as 'only_first' | 'only_second';
        const options: EncodeOptions = { window: size, stride: wanted, pairs };
        const first = sequence(one);
        const second = sequence(other, 1000);
        const { windows, truncated } = pairWindows(first, second, facts, options);
        const [divided, kept] = side === 'only_first' ? [0, 1] : [1, 0];
        const whole = [first, second].map(({ ids }) => [...ids]);
        const seen = new Set<number>();
        for (const { ids, special, typeIds } of windows) {
          assert.ok(ids.length <= size);
          const own = parts(ids, special);
          for (const id of own[divided]!) seen.add(id);
          const beside = own[kept]!;
          assert.deepEqual(beside, whole[kept]!.slice(0, beside.length));
          assert.equal(beside.length < whole[kept]!.length, truncated);
          assert.deepEqual([...typeIds], [0, ...own[0].map(() => 0), 0, ...own[1].map(() => 1), 1]);
        }
        assert.deepEqual([...seen], whole[divided]);
        // What is kept beside it is cut only where it needs more than half of the window.
        if (truncated) assert.ok(whole[kept]!.length > (size - 3) >> 1);
      }),
    );
  });

  test('are one if both texts are cut, the longer one first', () => {
    fc.assert(
      fc.property(length, length, window, (one, other, size) => {
        const options: EncodeOptions = { window: size, overflow: 'cut', pairs: 'longest_first' };
        const { windows } = pairWindows(sequence(one), sequence(other, 1000), facts, options);
        assert.equal(windows.length, 1);
        const [first, second] = parts(windows[0]!.ids, windows[0]!.special);
        const room = size - 3;
        assert.equal(first.length + second.length, Math.min(one + other, room));
        const half = room >> 1;
        assert.ok(first.length >= Math.min(one, half) && second.length >= Math.min(other, half));
      }),
    );
  });
});
