import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '../../../bench/lib/random.ts';
import { ServeError } from '../../../runtime/index.ts';
import { compileSplit, type Split } from '../../../runtime/routing/split.ts';
import type { ServedModel } from '../../../runtime/served-model.ts';

const REQUESTS = 1_000_000;

/** A model whose versions need not be loaded, because no request is served. */
const model = {
  name: 'iris',
  newest: () => 'v0',
  hasVersion: () => true,
  loadedVersion: () => undefined,
  version() {
    throw new ServeError('MODEL_NOT_READY', 'It is not loaded.');
  },
} as unknown as ServedModel;

const splitOf = (...weights: readonly number[]): Split => {
  const named = Object.fromEntries(weights.map((weight, i) => [`v${i}`, weight]));
  return compileSplit(model, { weights: named }, {});
};

const atRandom = () => undefined;
const byKey = (i: number) => `user-${i}`;

describe('requests', () => {
  for (const [weights, keyOf] of [
    [[0.8, 0.2], atRandom],
    [[0.99, 0.01], atRandom],
    [[70, 20, 10], atRandom],
    [[6e307, 1.7e308], atRandom],
    [[1e-308, 3e-308], atRandom],
    [[6e307, 1.7e308], byKey],
    [[1e-308, 3e-308], byKey],
  ] as const) {
    const how = keyOf === byKey ? 'by their keys' : 'at random';
    test(`are divided ${how} by ${weights} within three standard deviations`, () => {
      const split = splitOf(...weights);
      const random = seeded(20_26);
      const counts = new Map<string, number>();
      for (let i = 0; i < REQUESTS; i += 1) {
        const { version } = split.choose(keyOf(i), random);
        counts.set(version, (counts.get(version) ?? 0) + 1);
      }
      const most = Math.max(...weights);
      const total = weights.reduce((sum, weight) => sum + weight / most, 0);
      for (const [i, weight] of weights.entries()) {
        const p = weight / most / total;
        const count = counts.get(`v${i}`) ?? 0;
        const deviations = (count - REQUESTS * p) / Math.sqrt(REQUESTS * p * (1 - p));
        assert.ok(Math.abs(deviations) < 3, `v${i} has ${count}: ${deviations} deviations`);
      }
    });
  }
});

test('every random number gives an arm', () => {
  const split = splitOf(1 / 3, 1 / 3, 1 / 3);
  for (const drawn of [0, 1 - 2 ** -53, 0.333_333_333_333_333_3]) {
    assert.match(split.choose(undefined, () => drawn).version, /^v[012]$/);
  }
});

test('one arm needs neither a key nor a random number', () => {
  const split = splitOf(1);
  assert.equal(split.choose(undefined, assert.fail).version, 'v0');
  assert.equal(split.choose('key', assert.fail).version, 'v0');
});

test('the version with the largest share describes the model; of equal ones the first', () => {
  assert.equal(splitOf(1, 5, 5).heaviest(), 'v1');
});
