import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MillraceError, type MillraceErrorCode } from '../../native/errors.ts';
import type { RedisTier } from '../../runtime/cache/redis-tier.ts';
import { ResponseCache } from '../../runtime/cache/response-cache.ts';
import { BodyShare, ServeError } from '../../runtime/index.ts';
import { type Caller, infer as inferWith } from '../../runtime/pipeline.ts';
import type { ArmTraffic } from '../../runtime/routing/arm-traffic.ts';
import { puppetClassifier } from '../support/puppet-engine.ts';
import { infer, testService } from '../support/service.ts';
import { until } from '../support/until.ts';
import { countingMetrics } from './cache/support.ts';

const request = {
  model: undefined,
  version: 'v1.0',
  features: [1, 2, 3, 4] as readonly unknown[],
};

describe('infer', () => {
  test('returns the result of a row with its label, confidence and timings', async () => {
    using service = await testService();
    assert.deepEqual(await infer(service.runtime, request), {
      model: 'iris',
      version: 'v1.0',
      predictions: [{ prediction: 'setosa', confidence: 0.97 }],
      timings: { queueMs: 0.04, computeMs: 0.21, batchRows: 8, batchRequests: 8 },
      maxRows: 16,
    });
  });

  test('returns the results of many rows in their order', async () => {
    using service = await testService();
    const features = [request.features, request.features, request.features];
    const { predictions } = await infer(service.runtime, { ...request, features });
    const labels = predictions.map(({ prediction }) => prediction);
    assert.deepEqual(labels, ['setosa', 'versicolor', 'virginica']);
  });

  test('runs a model that takes one row once for each row', async () => {
    const puppet = puppetClassifier();
    const [spec] = puppet.signature.inputs;
    const signature = { ...puppet.signature, inputs: [{ ...spec!, dims: [1, 4] }] };
    using service = await testService({ engine: () => ({ ...puppet, signature }) });
    const before = service.model('iris:v1.0').stats().completed;
    const features = [request.features, request.features];
    const { predictions, timings } = await infer(service.runtime, { ...request, features });
    assert.equal(predictions.length, 2);
    assert.equal(timings.batchRows, 16);
    assert.equal(service.model('iris:v1.0').stats().completed, before + 2);
  });

  for (const [thrown, code] of [
    ['INVALID_ARGUMENT', 'INVALID_ARGUMENT'],
    ['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED'],
    ['UNAVAILABLE', 'MODEL_NOT_READY'],
    ['RESOURCE_EXHAUSTED', 'OVERLOADED'],
    ['FAILED_PRECONDITION', 'MODEL_NOT_READY'],
    ['CANCELLED', 'CANCELLED'],
    ['INTERNAL', 'INTERNAL'],
  ] as const satisfies readonly (readonly [MillraceErrorCode, string])[]) {
    test(`reports the engine's ${thrown} as ${code}, without paths`, async () => {
      const puppet = puppetClassifier();
      const script = { ...puppet };
      using service = await testService({ engine: () => script });
      script.run = () => {
        throw new MillraceError(thrown, 'It went wrong in /opt/ort/graph.cc at 0x7f00');
      };
      await assert.rejects(infer(service.runtime, request), (error: unknown) => {
        assert.ok(error instanceof ServeError);
        assert.equal(error.code, code);
        assert.doesNotMatch(error.message, /\/|0x/);
        return true;
      });
    });
  }

  test('passes on the delay after which a client should retry', async () => {
    const script = { ...puppetClassifier() };
    using service = await testService({ engine: () => script });
    script.run = () => {
      throw new MillraceError('UNAVAILABLE', 'full', { retryAfterMs: 2500 });
    };
    await assert.rejects(infer(service.runtime, request), {
      code: 'OVERLOADED',
      retryAfterMs: 2500,
    });
  });

  test('says why a model without a task does not take features', async () => {
    const puppet = puppetClassifier();
    const [spec] = puppet.signature.inputs;
    const signature = { ...puppet.signature, inputs: [spec!, { ...spec!, name: 'mask' }] };
    using service = await testService({
      models: { m: { versions: { '1': '' } } },
      engine: () => ({ ...puppet, signature }),
    });
    assert.ok(service.runtime.ready());
    const response = infer(service.runtime, { ...request, version: undefined });
    await assert.rejects(response, { code: 'INVALID_ARGUMENT', message: /need one input/ });
  });

  test('keeps a version loaded until its requests have their responses', async () => {
    using service = await testService();
    const model = service.model('iris:v1.0');
    model.hold();
    const response = infer(service.runtime, request);
    const closed = service.runtime.close();
    assert.ok(!model.closed);
    model.release();
    await response;
    await closed;
    assert.ok(model.closed);
  });
});

test('a request gets the results of the one that it waits for, also if that has left before its run', async () => {
  const puppet = puppetClassifier();
  const lengths: number[] = [];
  const run: typeof puppet.run = (inputs) => {
    lengths.push(inputs.features!.data.length);
    return puppet.run(inputs);
  };
  using service = await testService({ engine: () => ({ ...puppet, run }) });
  const stored = Promise.withResolvers<undefined>();
  const redis = { usable: true, get: () => stored.promise, set() {} } as Partial<RedisTier>;
  const cache = new ResponseCache({
    settings: { cacheTtlSecs: 60, cacheMaxBytes: 1e6 },
    metrics: countingMetrics({}),
    redis: redis as RedisTier,
  });
  const { routes, bodies } = service.runtime;
  const arms = { begin: () => undefined } as Partial<ArmTraffic> as ArmTraffic;
  const send = async (signal: AbortSignal | undefined) => {
    const share = new BodyShare(bodies);
    const data = Float32Array.of(1, 2, 3, 4);
    share.own(data.buffer);
    const prepared = {
      runs: [{ features: { type: 'float32', dims: [1, 4], data } }],
      ...{ outputs: undefined, share, context: undefined },
    } as const;
    const steps = {
      route: () => ({ model: 'iris', version: 'v1.0' }),
      prepare: () => prepared,
      respond: () => 'responded',
    };
    const caller = { signal, timeLeft: () => undefined };
    const sent = inferWith({ routes, arms, cache }, steps, undefined, caller);
    return sent.finally(() => share.close());
  };
  const gone = new AbortController();
  const first = send(gone.signal);
  const second = send(undefined);
  gone.abort(new ServeError('CANCELLED', 'The client has left.'));
  await assert.rejects(first, { code: 'CANCELLED' });
  stored.resolve(undefined);
  assert.equal((await second).response, 'responded');
  assert.equal(lengths.at(-1), 4);
});

describe('rounds', () => {
  const row = (value: number) => ({
    features: { type: 'float32' as const, dims: [1, 4], data: new Float32Array(4).fill(value) },
  });
  const caller = { timeLeft: () => undefined, signal: undefined };

  test('a request may need no run', async () => {
    using service = await testService();
    const before = service.model('iris:v2.0').stats().submitted;
    const { response, timings } = await service.runtime.infer(
      {
        route: () => ({ model: undefined, version: undefined }),
        prepare: () => ({ runs: [], outputs: undefined, context: 'said' }),
        respond: ({ results, context }) => [results.length, context],
      },
      undefined,
      caller,
    );
    assert.deepEqual(response, [0, 'said']);
    assert.deepEqual(timings, { queueMs: 0, computeMs: 0, batchRows: 0, batchRequests: 0 });
    assert.equal(service.model('iris:v2.0').stats().submitted, before);
  });

  test('a second round runs on the results of the first, on the same version', async () => {
    using service = await testService();
    const before = service.model('iris:v2.0').stats().submitted;
    const { response, timings } = await service.runtime.infer(
      {
        route: () => ({ model: undefined, version: undefined }),
        prepare: () => ({ runs: [row(1), row(2)], outputs: undefined, context: [] as number[] }),
        next: ({ results, context }) =>
          context.length === 2
            ? undefined
            : { runs: [row(3)], outputs: undefined, context: [...context, results.length] },
        respond: ({ results, context, version }) => [results.length, context, version.version],
      },
      undefined,
      caller,
    );
    assert.deepEqual(response, [1, [2, 1], 'v2.0']);
    assert.equal(service.model('iris:v2.0').stats().submitted, before + 4);
    assert.ok(Math.abs(timings.computeMs - 3 * 0.21) < 1e-9);
  });

  test('a request waits for the runs of all rounds, and for none that the cache has', async () => {
    using service = await testService();
    const cache = new ResponseCache({
      settings: { cacheTtlSecs: 60, cacheMaxBytes: 1e6 },
      metrics: countingMetrics({}),
    });
    const { routes } = service.runtime;
    const arms = { begin: () => undefined } as Partial<ArmTraffic> as ArmTraffic;
    const steps = {
      route: () => ({ model: 'iris', version: 'v1.0' }),
      prepare: () => ({ runs: [row(1)], outputs: undefined, context: 1 }),
      next: ({ context }: { readonly context: number }) =>
        context === 3
          ? undefined
          : { runs: [row(context + 1)], outputs: undefined, context: context + 1 },
      respond: () => 'responded',
    };
    const waited = async () => {
      const { timings } = await inferWith({ routes, arms, cache }, steps, undefined, caller);
      return timings.computeMs;
    };
    assert.ok(Math.abs((await waited()) - 3 * 0.21) < 1e-9);
    assert.equal(await waited(), 0);
  });

  test('a request is a hit only if all rounds are', async () => {
    using service = await testService();
    const cache = new ResponseCache({
      settings: { cacheTtlSecs: 60, cacheMaxBytes: 1e6 },
      metrics: countingMetrics({}),
    });
    const { routes } = service.runtime;
    const arms = { begin: () => undefined } as Partial<ArmTraffic> as ArmTraffic;
    const stateOf = async (...values: readonly number[]) => {
      const own: Caller = { ...caller };
      const round = (context: number) => ({
        ...{ runs: [row(values[context]!)], outputs: undefined, context },
      });
      const steps = {
        route: () => ({ model: 'iris', version: 'v1.0' }),
        prepare: () => round(0),
        next: ({ context }: { readonly context: number }) =>
          context + 1 === values.length ? undefined : round(context + 1),
        respond: () => own.cache?.state,
      };
      const serving = { routes, arms, cache };
      const { response, cache: found } = await inferWith(serving, steps, undefined, own);
      assert.equal(response, found?.state);
      return response;
    };
    assert.equal(await stateOf(1, 2), 'miss');
    assert.equal(await stateOf(1, 2), 'hit');
    assert.equal(await stateOf(1, 3), 'miss');
    assert.equal(await stateOf(4, 2), 'miss');
    assert.equal(await stateOf(4, 3, 1), 'hit');
  });

  test('runs that start later have the deadline of the first', async () => {
    using service = await testService();
    const timeLeft = () => 10_000;
    const runs = Array.from({ length: 40 }, (_, i) => row(i));
    const steps = {
      route: () => ({ model: 'iris', version: 'v1.0' }),
      prepare: () => ({ runs, outputs: undefined, context: undefined }),
      respond: () => undefined,
    };
    const model = service.model('iris:v1.0');
    model.hold();
    const answer = service.runtime.infer(steps, undefined, { ...caller, timeLeft });
    await until(() => model.runs.length === 3, 'that of the load and the first two are made');
    const began = performance.now();
    await until(() => performance.now() > began + 5, 'time passes');
    model.release();
    await answer;
    const [, first, second, ...later] = model.runs.map(({ timeoutMs }) => timeoutMs!);
    assert.ok(Math.max(first!, second!) <= 10_000);
    assert.equal(later.length, 38);
    for (const left of later) assert.ok(left < 10_000 - 5, `${left}`);
  });
});
