/** @module Tests of shadows: which requests are copied, when the copies run, and what becomes of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Tensors } from '../../../native/index.ts';
import type { InferenceSteps } from '../../../runtime/index.ts';
import type { Comparison, Observation } from '../../../runtime/routing/observer.ts';
import type { Shadow } from '../../../runtime/routing/route.ts';
import { inference } from '../../services/inference/support.ts';
import { sumOf } from '../../support/metrics.ts';
import { type PuppetScript, puppetClassifier } from '../../support/puppet-engine.ts';
import { type TestService, type TestServiceOptions, testService } from '../../support/service.ts';
import { until } from '../../support/until.ts';

const features = [5.1, 3.5, 1.4, 0.2];

interface Shadowed extends AsyncDisposable {
  readonly service: TestService;
  readonly observed: Observation[];
  readonly compared: Comparison[];
  /** Copies by what became of them. */
  count(outcome: string): Promise<number>;
}

/** A service whose model `iris` responds with `v1.0` and has the shadow `v2.0`. */
async function shadowed(
  shadow: Partial<Shadow> = {},
  options: TestServiceOptions = {},
): Promise<Shadowed> {
  const observed: Observation[] = [];
  const compared: Comparison[] = [];
  const service = await testService({
    observer: {
      observe: (observation) => void observed.push(observation),
      compared: (comparison) => void compared.push(comparison),
    },
    ...options,
  });
  const route = { weights: { 'v1.0': 1 }, shadow: { version: 'v2.0', fraction: 1, ...shadow } };
  service.runtime.routes.change('iris', { ...route, labels: {} });
  return {
    ...{ service, observed, compared },
    count: async (outcome) =>
      sumOf(await service.runtime.metrics.render(), 'millrace_shadow_requests_total', { outcome }),
    async [Symbol.asyncDispose]() {
      await service.runtime.drain();
      await service.runtime.close();
      service[Symbol.dispose]();
    },
  };
}

/** Scripts of the two versions; the second returns these scores for every row. */
const scoring = (...scores: readonly number[]) => {
  const puppet = puppetClassifier();
  const run: PuppetScript['run'] = ({ features: { dims } = { dims: [1] } }) => {
    const rows = Array.from({ length: dims[0]! }, () => scores).flat();
    return {
      scores: { type: 'float32', dims: [dims[0]!, scores.length], data: Float32Array.from(rows) },
    };
  };
  return (name: string): PuppetScript => (name === 'iris:v2.0' ? { ...puppet, run } : puppet);
};

describe('a copy', () => {
  test('runs after the response, with the lowest priority, and is compared', async () => {
    await using made = await shadowed();
    const { service, compared, observed } = made;
    const response = await service.predict({ features }, { 'X-Request-Id': 'one' });
    assert.equal(response.headers.get('x-model-version'), 'v1.0');
    assert.equal(compared.length, 0);
    await until(() => compared.length === 1, 'the copy is compared');
    const { latencyMs, ...rest } = compared[0]!;
    assert.ok(latencyMs >= 0);
    assert.deepEqual(rest, {
      model: 'iris',
      requestId: 'one',
      arm: 'v1.0',
      version: 'v1.0',
      period: 0,
      shadow: 'v2.0',
      failed: false,
      agrees: true,
      maxAbsDifference: 0,
      outputs: undefined,
      shadowOutputs: undefined,
      inputs: undefined,
    });
    assert.equal(service.model('iris:v2.0').runs.at(-1)!.priority, 255);
    assert.deepEqual(
      observed.map(({ arm }) => arm),
      ['v1.0'],
    );
    assert.equal(await made.count('agreed'), 1);
    const page = await service.runtime.metrics.render();
    const labels = { version: 'v2.0', arm: 'shadow', outcome: 'ok' };
    assert.equal(sumOf(page, 'millrace_arm_request_duration_seconds_count', labels), 1);
  });

  test('is made of the fraction of the requests, and never of those that name a version', async () => {
    const draws = [0.09, 0.1, 0.5, 0.05];
    let drawn = 0;
    await using made = await shadowed({ fraction: 0.1 }, { random: () => draws[drawn++]! });
    for (const _ of draws) await made.service.predict({ features });
    await made.service.predict({ features, model_version: 'v1.0' });
    await until(() => made.compared.length === 2, 'two of the four are copied');
    assert.equal(drawn, 4);
    assert.equal(made.observed.length, 4);
  });

  test('is not made of a request that the shadow itself has got', async () => {
    await using made = await shadowed({}, { random: assert.fail });
    const shadow = { version: 'v2.0', fraction: 1 };
    made.service.runtime.routes.change('iris', { weights: { 'v2.0': 1 }, shadow, labels: {} });
    const response = await made.service.predict({ features });
    assert.equal(response.headers.get('x-model-version'), 'v2.0');
    assert.equal(made.observed.length, 1);
  });

  test('is prepared for the shadow, whose input may have another name', async () => {
    const { signature, run } = puppetClassifier();
    const [input] = signature.inputs;
    const renamed = { ...signature, inputs: [{ ...input!, name: 'x' }] };
    const script = { signature: renamed, run: ({ x }: Tensors) => run({ features: x! }) };
    const engine = (name: string) => (name === 'iris:v2.0' ? script : puppetClassifier());
    await using made = await shadowed({}, { engine });
    await made.service.predict({ features });
    await until(() => made.compared.length === 1, 'it is compared');
    assert.equal(made.compared[0]!.agrees, true);
  });

  test('that disagrees comes with both outputs, and with its inputs only with SHADOW_KEEP_INPUTS', async () => {
    for (const shadowKeepInputs of [false, true]) {
      const engine = scoring(0.1, 0.2, 0.7);
      await using made = await shadowed({}, { engine, config: { shadowKeepInputs } });
      await made.service.predict({ features: [1, 2, 3, 4.5] });
      await until(() => made.compared.length === 1, 'it is compared');
      const [{ agrees, maxAbsDifference, outputs, shadowOutputs, inputs }] = made.compared as [
        Comparison,
      ];
      assert.equal(agrees, false);
      assert.ok(Math.abs(maxAbsDifference! - 0.87) < 1e-6, String(maxAbsDifference));
      const rounded = (values: unknown) =>
        (values as number[]).map((value) => Number(value.toPrecision(4)));
      assert.deepEqual(rounded(outputs!.scores), [0.97, 0.015, 0.015]);
      assert.deepEqual(rounded(shadowOutputs!.scores), [0.1, 0.2, 0.7]);
      assert.deepEqual(inputs, shadowKeepInputs ? { features: [1, 2, 3, 4.5] } : undefined);
      assert.equal(await made.count('disagreed'), 1);
    }
  });

  test('that fails changes nothing for the request, whether it is prepared or run', async () => {
    const narrow = puppetClassifier(2);
    const broken = { ...puppetClassifier() };
    for (const script of [narrow, broken]) {
      const engine = (name: string) => (name === 'iris:v2.0' ? script : puppetClassifier());
      await using made = await shadowed({}, { engine });
      broken.run = () => {
        throw new Error('it is broken');
      };
      const response = await made.service.predict({ features });
      assert.equal(response.status, 200);
      await until(async () => (await made.count('failed')) === 1, 'the failure is counted');
      assert.deepEqual(
        made.compared.map(({ failed, agrees }) => [failed, agrees]),
        [[true, undefined]],
      );
      assert.deepEqual(
        made.observed.map(({ failed }) => failed),
        [false],
      );
    }
  });

  test('is made before the run, also if the request is prepared in several turns', async () => {
    const events: string[] = [];
    const script = { ...puppetClassifier() };
    const engine = (name: string) => (name === 'iris:v1.0' ? script : puppetClassifier());
    await using made = await shadowed({}, { engine });
    const { run } = script;
    script.run = (inputs) => {
      events.push('run');
      return run(inputs);
    };
    const data = Float32Array.from(features);
    const steps: InferenceSteps<undefined, undefined, string> = {
      route: () => ({ model: 'iris', version: undefined }),
      async prepare(_request, { version }) {
        await nextTurn();
        events.push(`prepared for ${version}`);
        const runs: Tensors[] = [{ features: { type: 'float32', dims: [1, 4], data } }];
        return { runs, outputs: undefined, context: undefined };
      },
      respond: () => 'response',
    };
    const caller = { signal: undefined, timeLeft: () => undefined };
    await made.service.runtime.infer(steps, undefined, caller);
    assert.deepEqual(events, ['prepared for v1.0', 'prepared for v2.0', 'run']);
    await until(() => made.compared.length === 1, 'the copy is compared');
  });

  test('of a request that fails is not run', async () => {
    const script = { ...puppetClassifier() };
    const engine = (name: string) => (name === 'iris:v1.0' ? script : puppetClassifier());
    await using made = await shadowed({}, { engine });
    const before = made.service.model('iris:v2.0').runs.length;
    const { run } = script;
    script.run = () => {
      throw new Error('it is broken');
    };
    for (let i = 0; i < 100; i += 1) await made.service.predict({ features });
    script.run = run;
    await made.service.predict({ features });
    await until(() => made.compared.length === 1, 'the budget is not used up');
    assert.equal(made.service.model('iris:v2.0').runs.length, before + 1);
  });
});

describe('the budget', () => {
  test('takes 64 copies at a time and drops others, whose requests are not delayed', async () => {
    await using made = await shadowed();
    const shadow = made.service.model('iris:v2.0');
    shadow.hold();
    for (let i = 0; i < 100; i += 1) {
      assert.equal((await made.service.predict({ features })).status, 200);
    }
    assert.equal(await made.count('dropped'), 36);
    await until(() => shadow.counts.queued === 4, '4 of them run');
    shadow.release();
    await until(() => made.compared.length === 64, 'those that were taken are compared');
    await made.service.predict({ features });
    await until(() => made.compared.length === 65, 'there is room again');
  });

  test('takes no copy while more than half of the permits are used', async () => {
    await using made = await shadowed({}, { config: { maxInFlight: 4 } });
    const model = made.service.model('iris:v1.0');
    model.hold();
    const waiting = Array.from({ length: 4 }, () => made.service.predict({ features }));
    await until(() => model.counts.queued === 4, 'all of them run');
    model.release();
    await Promise.all(waiting);
    assert.equal(await made.count('dropped'), 4);
    await made.service.predict({ features });
    await until(() => made.compared.length === 1, 'the next one is copied');
  });

  test('is given back when the service stops, which cancels copies', async () => {
    const made = await shadowed();
    const shadow = made.service.model('iris:v2.0');
    shadow.hold();
    for (let i = 0; i < 10; i += 1) await made.service.predict({ features });
    await until(() => shadow.counts.queued === 4, 'copies run');
    await made[Symbol.asyncDispose]();
    assert.ok(shadow.closed);
    assert.deepEqual(made.compared, []);
  });

  test('a shadow that is unloaded still runs the copies that it has', async () => {
    await using made = await shadowed();
    const { routes } = made.service.runtime;
    const shadow = made.service.model('iris:v2.0');
    shadow.hold();
    await made.service.predict({ features });
    await until(() => shadow.counts.queued === 1, 'the copy runs');
    let closed = false;
    const version = routes.describe({ model: 'iris', version: 'v2.0' });
    const closing = version.close().then(() => {
      closed = true;
    });
    await made.service.predict({ features, model_version: 'v1.0' });
    assert.ok(!closed);
    shadow.release();
    await closing;
    await until(() => made.compared.length === 1, 'it is compared');
    assert.equal(made.compared[0]!.failed, false);
  });
});

test('a large body, whose memory the engine frees after the run, is copied before', async () => {
  const compared: Comparison[] = [];
  const observer = { observe() {}, compared: (each: Comparison) => void compared.push(each) };
  const files = { 'm/1/model.onnx': '=dynamic-axes', 'm/2/model.onnx': '=dynamic-axes' };
  await using server = await inference(files, {}, { observer });
  const shadow = { version: '2', fraction: 1 };
  server.runtime.routes.change('m', { weights: { '1': 1 }, shadow, labels: {} });
  const floats = Float32Array.from({ length: 200_000 }, (_, i) => i / 7);
  for (const headers of [{ 'Inference-Header-Content-Length': '0' }]) {
    const response = await server.post(
      '/v2/models/m/infer',
      new Uint8Array(floats.buffer),
      headers,
    );
    assert.equal(response.status, 200, response.text);
  }
  await until(() => compared.length === 1, 'the copy is compared');
  assert.deepEqual([compared[0]!.agrees, compared[0]!.maxAbsDifference], [true, 0]);
});
