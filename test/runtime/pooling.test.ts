/** @module How the outputs of runs are pooled: by the engine, in the cache and in copies for a shadow. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PoolOptions, Tensors } from '../../native/index.ts';
import type { InferenceSteps } from '../../runtime/index.ts';
import type { Comparison } from '../../runtime/routing/observer.ts';
import { type TestService, testService } from '../support/service.ts';
import { until } from '../support/until.ts';

const row = (value: number): Tensors => ({
  features: { type: 'float32', dims: [1, 4], data: new Float32Array(4).fill(value) },
});
const CALLER = { timeLeft: () => undefined, signal: undefined };

const pool = (to: number): PoolOptions => ({
  output: 'scores',
  modes: ['mean'],
  tokens: Int32Array.of(0, to),
});

const stepsOf = (
  runs: readonly Tensors[],
  pooling?: readonly PoolOptions[],
): InferenceSteps<undefined, undefined, undefined> => ({
  route: () => ({ model: 'iris', version: undefined }),
  prepare: () => ({ runs, outputs: ['scores'], pooling, context: undefined }),
  respond: () => undefined,
});

/** The option of each run but the first, which the load has made. */
const poolsOf = (service: TestService, name: string) =>
  service
    .model(name)
    .runs.slice(1)
    .map((options) => options.pool);

describe('the pooling of a request', () => {
  test('is an option of each run', async () => {
    using service = await testService();
    const pooling = [pool(1), pool(2)];
    await service.runtime.infer(stepsOf([row(1), row(2)], pooling), undefined, CALLER);
    await service.runtime.infer(stepsOf([row(1)], [pool(3)]), undefined, CALLER);
    await service.runtime.infer(stepsOf([row(1)]), undefined, CALLER);
    assert.deepEqual(poolsOf(service, 'iris:v2.0'), [...pooling, pool(3), undefined]);
  });

  test('is cached for requests with the same one', async () => {
    using service = await testService({ config: { cacheTtlSecs: 60 } });
    const send = async (...pooling: readonly PoolOptions[]) => {
      const steps = stepsOf([row(1)], pooling.length === 0 ? undefined : pooling);
      const { cache } = await service.runtime.infer(steps, undefined, CALLER);
      return cache?.state;
    };
    const most = { ...pool(1), modes: ['max'] } as const;
    const states = [];
    for (const pooling of [[pool(1)], [pool(1)], [pool(2)], [most], [], [most]]) {
      states.push(await send(...pooling));
    }
    assert.deepEqual(states, ['miss', 'hit', 'miss', 'miss', 'miss', 'hit']);
  });

  test('is that of the copies of a shadow, too', async () => {
    const compared: Comparison[] = [];
    using service = await testService({
      observer: { observe: () => {}, compared: (comparison) => void compared.push(comparison) },
    });
    const shadow = { version: 'v2.0', fraction: 1 };
    service.runtime.routes.change('iris', { weights: { 'v1.0': 1 }, shadow, labels: {} });
    const pooling = [pool(1), pool(2)];
    await service.runtime.infer(stepsOf([row(1), row(2)], pooling), undefined, CALLER);
    await until(() => compared.length === 1, 'the copy is compared');
    for (const version of ['v1.0', 'v2.0']) {
      assert.deepEqual(poolsOf(service, `iris:${version}`), pooling);
    }
    await service.runtime.drain();
    await service.runtime.close();
  });
});
