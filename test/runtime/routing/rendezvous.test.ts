import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Candidate, hash64, rendezvous } from '../../../runtime/routing/rendezvous.ts';

const KEYS = 1_000_000;

/** The arms of a model by their weights, named by their index. */
const armsOf = (...weights: readonly number[]): Candidate[] =>
  weights.map((weight, i) => ({ weight, seed: hash64(JSON.stringify(['iris', `v${i}`])) }));

function counts(arms: readonly Candidate[], keyOf: (i: number) => string): number[] {
  const found = arms.map(() => 0);
  for (let i = 0; i < KEYS; i += 1) found[rendezvous(arms, keyOf(i))]! += 1;
  return found;
}

describe('hash64', () => {
  // Computed with an independent implementation of MurmurHash3_x86_32, from the text in UTF-16LE.
  for (const [text, high, low] of [
    ['', 0xebb6c228, 0x3cd6e3f3],
    ['a', 0xaaa95179, 0x795ca0b2],
    ['ab', 0x15eb70bc, 0x1c57c6f2],
    ['user-1', 0x7d56ee0e, 0xa050f25b],
    ['user-42', 0x4a13d5d7, 0xd50a4fe9],
    ['Zoë', 0x35d95aaf, 0x92239550],
    ['😀x', 0x90d7e7eb, 0xdad69112],
    ['["iris","v1.0"]', 0xc49a2ad0, 0xbf80be2a],
  ] as const) {
    test(`of ${JSON.stringify(text)} is that of MurmurHash3`, () => {
      assert.deepEqual(
        hash64(text).map((half) => half >>> 0),
        [high, low],
      );
    });
  }
});

describe('rendezvous', () => {
  for (const [what, weights, keyOf] of [
    ['two arms', [0.8, 0.2], (i: number) => `user-${i}`],
    ['numbers as keys', [0.5, 0.5], String],
    ['an arm of a hundredth', [0.99, 0.01], (i: number) => i.toString(36)],
    ['three arms in per cent', [50, 30, 20], (i: number) => `req_${i.toString(16)}`],
    ['very different units', [1e-9, 3e-9], (i: number) => `${i}@example.com`],
  ] as const) {
    test(`gives ${what} their shares of ${KEYS} keys, within three standard deviations`, () => {
      const arms = armsOf(...weights);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      for (const [i, count] of counts(arms, keyOf).entries()) {
        const p = weights[i]! / total;
        const deviations = (count - KEYS * p) / Math.sqrt(KEYS * p * (1 - p));
        assert.ok(Math.abs(deviations) < 3, `arm ${i} has ${count}: ${deviations} deviations`);
      }
    });
  }

  for (const [what, before, after] of [
    ['1 % to 5 %', [0.99, 0.01], [0.95, 0.05]],
    ['5 % to 25 %', [0.95, 0.05], [0.75, 0.25]],
    ['50 % to 100 %', [0.5, 0.5], [1e-12, 1]],
    ['one of three from a fifth to a third', [0.4, 0.4, 0.2], [0.4, 0.4, 0.4]],
  ] as const) {
    test(`moves only keys to the arm whose share rises, and only as many as it must: ${what}`, () => {
      const [old, raised] = [armsOf(...before), armsOf(...after)];
      const last = before.length - 1;
      const share = (weights: readonly number[]) =>
        weights[last]! / weights.reduce((sum, weight) => sum + weight, 0);
      let moved = 0;
      for (let i = 0; i < KEYS; i += 1) {
        const key = `user-${i}`;
        const to = rendezvous(raised, key);
        if (rendezvous(old, key) === to) continue;
        assert.equal(to, last, `${key} moved to an arm whose share did not rise`);
        moved += 1;
      }
      const theory = share(after) - share(before);
      assert.ok(moved / KEYS <= theory + 0.01, `${moved} keys moved, ${theory} is the least share`);
    });
  }

  test('a removed arm moves only its own keys', () => {
    const [all, fewer] = [armsOf(1, 1, 1), armsOf(1, 1)];
    for (let i = 0; i < 100_000; i += 1) {
      const before = rendezvous(all, `user-${i}`);
      if (before < 2) assert.equal(rendezvous(fewer, `user-${i}`), before);
    }
  });

  test('the arms of keys are always the same, in every process and on every runtime', () => {
    const arms = armsOf(0.8, 0.2);
    const first = Array.from({ length: 40 }, (_, i) => rendezvous(arms, `user-${i}`)).join('');
    assert.equal(first, '0000000001000000000100000000000000001110');
  });

  test('a long key costs no more than a part of it, and the rest has no effect', () => {
    const arms = armsOf(0.5, 0.5);
    const key = 'k'.repeat(1024);
    assert.equal(rendezvous(arms, key + 'x'.repeat(100_000)), rendezvous(arms, key));
  });
});
