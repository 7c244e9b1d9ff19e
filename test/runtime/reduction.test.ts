/** @module What is kept of the results of runs: in responses, in the cache and in copies for a shadow. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Tensors } from '../../native/index.ts';
import type { InferenceSteps, Outcome, Reduction } from '../../runtime/index.ts';
import type { Comparison } from '../../runtime/routing/observer.ts';
import { testService } from '../support/service.ts';
import { until } from '../support/until.ts';

const row = (value: number): Tensors => ({
  features: { type: 'float32', dims: [1, 4], data: new Float32Array(4).fill(value) },
});
const CALLER = { timeLeft: () => undefined, signal: undefined };

/** Keeps one of the scores of each run. */
const keeping = (index: number, applied: number[] = []): Reduction => ({
  key: `score ${index}`,
  async apply(result, run) {
    applied.push(run);
    const { data } = result.outputs.scores!;
    const kept = Float32Array.of(Number(data[index]));
    return { ...result, outputs: { scores: { type: 'float32', dims: [1, 1], data: kept } } };
  },
});

/** Steps that respond with all numbers of all results. */
const stepsOf = (
  runs: readonly Tensors[],
  reduce?: Reduction,
  respond = ({ results }: Outcome<undefined>) =>
    results.map(({ outputs }) => [...(outputs.scores!.data as Float32Array)]),
): InferenceSteps<undefined, undefined, number[][]> => ({
  route: () => ({ model: 'iris', version: undefined }),
  prepare: () => ({ runs, outputs: ['scores'], reduce, context: undefined }),
  respond,
});

describe('a reduction', () => {
  test('is applied to the result of each run', async () => {
    using service = await testService();
    const runs = [row(1), row(2)];
    const whole = await service.runtime.infer(stepsOf(runs), undefined, CALLER);
    const applied: number[] = [];
    const kept = await service.runtime.infer(stepsOf(runs, keeping(1, applied)), undefined, CALLER);
    assert.deepEqual(
      kept.response,
      whole.response.map((scores) => [scores[1]!]),
    );
    assert.deepEqual(applied.toSorted(), [0, 1]);
  });

  test('is cached for requests with the same one', async () => {
    using service = await testService({ config: { cacheTtlSecs: 60 } });
    const send = (reduce?: Reduction) =>
      service.runtime.infer(stepsOf([row(1)], reduce), undefined, CALLER);
    const applied: number[] = [];
    const first = await send(keeping(0, applied));
    const again = await send(keeping(0, applied));
    const other = await send(keeping(1));
    const whole = await send();
    assert.deepEqual(
      [first, again, other, whole].map(({ cache }) => cache?.state),
      ['miss', 'hit', 'miss', 'miss'],
    );
    assert.deepEqual(applied, [0]);
    assert.deepEqual(again.response, first.response);
    assert.deepEqual(other.response, [[whole.response[0]![1]]]);
  });

  test('that fails is an error of the request', async () => {
    using service = await testService();
    const reduce: Reduction = { key: '', apply: () => Promise.reject(new Error('no')) };
    await assert.rejects(service.runtime.infer(stepsOf([row(1)], reduce), undefined, CALLER), {
      code: 'INTERNAL',
    });
  });

  test('is applied to the copies of a shadow, too', async () => {
    const compared: Comparison[] = [];
    using service = await testService({
      observer: { observe: () => {}, compared: (comparison) => void compared.push(comparison) },
    });
    const shadow = { version: 'v2.0', fraction: 1 };
    service.runtime.routes.change('iris', { weights: { 'v1.0': 1 }, shadow, labels: {} });
    const applied: number[] = [];
    await service.runtime.infer(stepsOf([row(1), row(2)], keeping(0, applied)), undefined, CALLER);
    await until(() => compared.length === 1, 'the copy is compared');
    assert.deepEqual(applied.toSorted(), [0, 0, 1, 1]);
    await service.runtime.drain();
    await service.runtime.close();
  });
});
