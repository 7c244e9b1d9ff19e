/** @module Tests a stop with gRPC clients, over IPv6, and while models are loaded. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { until } from '../support/until.ts';
import { GrpcProcess } from './grpc-process.ts';
import { MODELS, ROW, slow, start } from './support.ts';

const message = {
  model_name: 'iris',
  inputs: [{ name: 'features', datatype: 'FP32', shape: [1, 4], contents: { fp32_contents: ROW } }],
};

/** A stop that waits for a client takes at least the five seconds after which connections are closed. */
const MAX_STOP_MS = 4500;

describe('a stop of a service at an IPv6 address', () => {
  for (const workers of ['1', '2']) {
    test(`refuses gRPC calls as unavailable while a request is in flight, with ${workers} HTTP threads`, async () => {
      await using service = await start({ SERVICE: 'all', HOST: '::1', MAX_WORKERS: workers });
      const { ports } = (await service.child.line('ready')) as { ports: Record<string, number> };
      await using client = new GrpcProcess('[::1]', ports.grpc!);
      const url = `http://[::1]:${service.port}`;
      assert.equal((await client.call('ModelInfer', message)).response.model_name, 'iris');
      const last = fetch(`${url}/predict`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(slow(1500)),
      });
      await until(async () => {
        const page = await (await fetch(`${url}/metrics`)).text();
        return /^millrace_model_running\{model="slow".*\} 1$/m.test(page);
      }, 'the request runs');
      service.child.signal('SIGTERM');
      await service.child.line('stopping');
      await until(async () => {
        const { error } = await client.call('ModelInfer', message);
        if (error === undefined) return false;
        assert.equal(error.code, status.UNAVAILABLE, error.details);
        assert.match(error.details, /shutting down/);
        return true;
      }, 'calls are refused');
      assert.equal((await client.call('ServerReady', {})).response.ready, false);
      assert.equal((await last).status, 200);
      assert.deepEqual(await service.child.exited, { code: 0, signal: null });
      assert.equal(service.child.errors, '');
    });
  }
});

for (const workers of ['1', '2']) {
  test(`a stop ends an idle gRPC stream at once, with ${workers} HTTP threads`, async () => {
    await using service = await start({
      SERVICE: 'inference',
      GRPC_PORT: '0',
      MAX_WORKERS: workers,
    });
    const { ports } = (await service.child.line('ready')) as { ports: Record<string, number> };
    await using client = new GrpcProcess('127.0.0.1', ports.grpc!);
    const { response } = await client.call('ModelStreamInfer', message);
    assert.equal(response.infer_response.model_name, 'iris');
    const ended = client.call('streamEnd', {});
    const from = performance.now();
    service.child.signal('SIGTERM');
    assert.deepEqual(await service.child.exited, { code: 0, signal: null });
    const ms = performance.now() - from;
    assert.ok(ms < MAX_STOP_MS, `the stop took ${Math.round(ms)} ms`);
    const { error } = await ended;
    assert.equal(error?.code, status.UNAVAILABLE);
    assert.match(error!.details, /shutting down/);
    assert.equal(service.child.errors, '');
  });
}

for (const workers of ['1', '2']) {
  test(`a stop completes the load in progress and refuses queued loads, with ${workers} HTTP threads`, async () => {
    const models = { iris: { versions: { '1': MODELS.iris!.versions['v1.0']! } } };
    await using service = await start(
      { MAX_WORKERS: workers, MODEL_CONTROL_MODE: 'explicit', LOAD_MODEL: '*' },
      models,
    );
    const load = async () => {
      const response = await fetch(`${service.url}/v2/repository/models/iris/load`, {
        method: 'POST',
      });
      await response.text();
      return response.status;
    };
    const first = load();
    const others = Array.from({ length: 7 }, load);
    const statuses = [await first];
    service.child.signal('SIGTERM');
    // A connection that the host has not accepted yet is closed with the port.
    for (const outcome of await Promise.allSettled(others)) {
      if (outcome.status === 'fulfilled') statuses.push(outcome.value);
    }
    assert.deepEqual(
      statuses.filter((code) => code !== 200 && code !== 503),
      [],
    );
    assert.deepEqual(await service.child.exited, { code: 0, signal: null });
    assert.equal(service.child.errors, '');
  });
}

for (const workers of ['1', '2']) {
  test(`a stop refuses loads and unloads as soon as it refuses requests, with ${workers} HTTP threads`, async () => {
    await using service = await start({
      ...{ SERVICE: 'all', GRPC_PORT: '0', MAX_WORKERS: workers },
      ...{ MODEL_CONTROL_MODE: 'explicit', LOAD_MODEL: '*' },
    });
    const last = service.predict(slow(1200));
    await until(async () => (await service.metric('millrace_model_running')) > 0, 'a request runs');
    service.child.signal('SIGTERM');
    await service.child.line('stopping');
    await until(
      async () => (await service.predict({ features: ROW })).status === 503,
      'requests are refused',
    );
    const { ports } = (await service.child.line('ready')) as { ports: Record<string, number> };
    for (let i = 0; i < 8; i += 1) {
      for (const change of ['load', 'unload']) {
        const url = `http://127.0.0.1:${ports.inference}/v2/repository/models/iris/${change}`;
        const response = await fetch(url, { method: 'POST' });
        const { code } = (await response.json()) as { code: string };
        assert.deepEqual([response.status, code], [503, 'DRAINING']);
      }
    }
    assert.equal((await last).status, 200);
    assert.deepEqual(await service.child.exited, { code: 0, signal: null });
    assert.equal(service.child.errors, '');
  });
}
