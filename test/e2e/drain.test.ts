/** @module Tests that a stop completes all accepted requests and leaves no process behind. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { head, post, RawClient } from '../support/raw-http.ts';
import { until } from '../support/until.ts';
import { outcomesOf, ROW, type Running, responseCounts, slow, start } from './support.ts';

const CLIENTS = 32;

const quick = post(JSON.stringify({ features: ROW }));

const inFlight = (service: Running) =>
  until(async () => (await service.metric('millrace_model_running')) > 0, 'a request runs');

/** Resolves when this many requests have a response, or are queued or running in the model `slow`. */
const accepted = (service: Running, requests: number) =>
  until(async () => {
    const page = await service.page();
    const { queued, running } = outcomesOf(page, 'slow');
    return queued + running + (responseCounts(page)[200] ?? 0) >= requests;
  }, 'every request is accepted');

describe('a stop', () => {
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    test(`at ${name} without requests ends the process with 0`, async () => {
      await using service = await start();
      service.child.signal(name);
      assert.deepEqual(await service.child.exited, { code: 0, signal: null });
      assert.equal(service.child.errors, '');
      assert.equal(service.child.log.at(-1)?.msg, 'stopped');
    });
  }

  for (const workers of ['1', '2']) {
    test(`completes all accepted requests, with ${workers} HTTP threads`, async () => {
      await using service = await start({ MAX_WORKERS: workers });
      const taken = Array.from({ length: 8 }, () => service.predict(slow(100)));
      await accepted(service, taken.length);
      service.child.signal('SIGTERM');
      const statuses = (await Promise.all(taken)).map(({ status }) => status);
      assert.deepEqual(new Set(statuses), new Set([200]));
      assert.deepEqual(await service.child.exited, { code: 0, signal: null });
    });
  }

  test('under load on kept-alive connections loses no request', async () => {
    await using service = await start();
    let stopped = false;
    const responses: number[] = [];
    const client = async () => {
      while (!stopped) {
        const response = await service.predict({ features: ROW }).catch(() => undefined);
        // After the stop a refused connection is not a lost request.
        if (response === undefined) break;
        await response.text();
        responses.push(response.status);
        if (response.status === 503) {
          assert.ok(Number(response.headers.get('retry-after')) >= 1);
          break;
        }
      }
    };
    const clients = Array.from({ length: 16 }, client);
    await until(() => responses.length > 500, 'the load is on');
    service.child.signal('SIGTERM');
    assert.deepEqual(await service.child.exited, { code: 0, signal: null });
    stopped = true;
    await Promise.all(clients);
    assert.deepEqual(
      responses.filter((status) => status !== 200 && status !== 503),
      [],
    );
  });

  for (const workers of ['1', '2']) {
    test(`on ${CLIENTS} kept-alive connections completes accepted requests and refuses later ones, with ${workers} HTTP threads`, async () => {
      await using service = await start({ MAX_WORKERS: workers });
      const clients = Array.from({ length: CLIENTS }, () => new RawClient(service.port));
      for (const client of clients) client.send(quick);
      for (const client of clients) assert.equal((await client.response())?.status, 200);
      for (const client of clients) client.send(post(JSON.stringify(slow(20))));
      await accepted(service, 2 * CLIENTS);
      service.child.signal('SIGTERM');
      const after = async (client: RawClient) => {
        const taken = await client.response();
        // A thread that does not know about the stop yet accepts the request.
        for (;;) {
          client.send(quick);
          const next = await client.response();
          if (next?.status !== 200) return [taken?.status, next] as const;
        }
      };
      for (const [taken, next] of await Promise.all(clients.map(after))) {
        assert.equal(taken, 200);
        // A closed connection is a refusal, too.
        if (next === undefined) continue;
        assert.equal(next.status, 503);
        assert.ok(Number(next.headers['retry-after']) >= 1);
        assert.equal(next.headers.connection, 'close');
      }
      assert.deepEqual(await service.child.exited, { code: 0, signal: null });
      assert.equal(service.child.errors, '');
      for (const client of clients) client[Symbol.dispose]();
    });
  }

  for (const workers of ['1', '2']) {
    test(`refuses new connections with 503 until accepted requests are completed, with ${workers} HTTP threads`, async () => {
      await using service = await start({ MAX_WORKERS: workers });
      const last = service.predict(slow(1500));
      await inFlight(service);
      service.child.signal('SIGTERM');
      await service.child.line('stopping');
      // A thread may not know about the stop yet, so each must have had the chance to refuse a request.
      await until(async () => {
        for (let i = 0; i < 8; i += 1) {
          const { status, headers } = await service.predict({ features: ROW });
          if (status !== 503) return false;
          assert.ok(Number(headers.get('retry-after')) >= 1);
        }
        return true;
      }, 'new requests are refused');
      for (let i = 0; i < 8; i += 1) {
        assert.equal((await service.predict({ features: ROW })).status, 503);
        assert.equal((await fetch(`${service.url}/ready`)).status, 503);
        assert.equal((await fetch(`${service.url}/alive`)).status, 200);
      }
      assert.equal((await last).status, 200);
      assert.deepEqual(await service.child.exited, { code: 0, signal: null });
    });
  }

  test('keeps serving for DRAIN_DELAY_MS, although it is not ready', async () => {
    await using service = await start({ DRAIN_DELAY_MS: '1500' });
    service.child.signal('SIGTERM');
    await service.child.line('stopping');
    const ready = await fetch(`${service.url}/ready`);
    assert.equal(ready.status, 503);
    assert.equal(((await ready.json()) as { status: string }).status, 'draining');
    assert.equal((await service.predict({ features: ROW })).status, 200);
    assert.deepEqual(await service.child.exited, { code: 0, signal: null });
  });

  test('ends the process with 1 after EXIT_TIMEOUT_MS', async () => {
    await using service = await start({ EXIT_TIMEOUT_MS: '100' });
    const last = service.predict(slow(1000)).then(
      ({ status }) => status,
      () => undefined,
    );
    await inFlight(service);
    service.child.signal('SIGTERM');
    assert.deepEqual(await service.child.exited, { code: 1, signal: null });
    assert.equal(service.child.log.at(-1)?.msg, 'requests were not completed in time');
    assert.equal(await last, undefined);
    assert.equal(service.child.errors, '');
  });

  test('does not wait for clients that never send the rest of a request', async () => {
    const stopWith = async (workers: string) => {
      await using service = await start({ MAX_WORKERS: workers, BODY_TIMEOUT_MS: '1500' });
      const [body, headers] = [new RawClient(service.port), new RawClient(service.port)];
      body.send(head({ 'Content-Length': 50, Expect: '100-continue' }));
      headers.send(quick.slice(0, 20));
      // A later request could be served before this one is accepted, so the service itself says that it waits for the body.
      assert.equal((await body.response())?.status, 100);
      body.send('{"features":');
      service.child.signal('SIGTERM');
      assert.equal((await body.response())?.status, 408);
      // With 1 the stop would have waited for the clients until EXIT_TIMEOUT_MS.
      assert.deepEqual(await service.child.exited, { code: 0, signal: null });
      assert.equal(service.child.errors, '');
      body[Symbol.dispose]();
      headers[Symbol.dispose]();
    };
    // The services wait at the same time.
    await Promise.all(['1', '2'].map(stopWith));
  });

  test('ignores a second signal', async () => {
    await using service = await start();
    const last = service.predict(slow(200));
    await inFlight(service);
    service.child.signal('SIGTERM');
    service.child.signal('SIGINT');
    assert.equal((await last).status, 200);
    assert.deepEqual(await service.child.exited, { code: 0, signal: null });
  });
});
