import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '../../../bench/lib/random.ts';
import { ServeError } from '../../../runtime/index.ts';
import { Arm, Split } from '../../../runtime/routing/split.ts';

const REQUESTS = 1_000_000;

const notLoaded = new ServeError('MODEL_NOT_READY', 'It is not loaded.');
const splitOf = (...weights: readonly number[]) =>
  new Split(
    weights.map((weight, i) => {
      const version = `v${i}`;
      const about = { model: 'iris', name: version, period: 0, shadow: undefined };
      return new Arm(version, weight, notLoaded, about);
    }),
  );

describe('requests without a key', () => {
  for (const weights of [
    [0.8, 0.2],
    [0.99, 0.01],
    [1, 1, 1],
    [70, 20, 10],
    [1e300, 3e300],
    [1e-300, 1e-300],
  ]) {
    test(`are given to arms of the weights ${weights} within three standard deviations`, () => {
      const split = splitOf(...weights);
      const random = seeded(20_26);
      const counts = new Map<string, number>();
      for (let i = 0; i < REQUESTS; i += 1) {
        const { version } = split.choose(undefined, random);
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

  test('always get an arm, whatever the random number', () => {
    const split = splitOf(1 / 3, 1 / 3, 1 / 3);
    for (const drawn of [0, 1 - 2 ** -53, 0.333_333_333_333_333_3]) {
      assert.match(split.choose(undefined, () => drawn).version, /^v[012]$/);
    }
  });
});

test('one arm needs neither a key nor a random number', () => {
  const split = splitOf(1);
  assert.equal(split.choose(undefined, assert.fail).version, 'v0');
  assert.equal(split.choose('key', assert.fail).version, 'v0');
});

test('the version with the largest share describes the model; of equal ones the first', () => {
  assert.equal(splitOf(1, 5, 5).heaviest(), 'v1');
});
