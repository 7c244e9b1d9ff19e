/** @module The way out: no request that was taken is lost, and nothing stays behind. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RawClient } from '../support/raw-http.ts';
import { until } from '../support/until.ts';
import { ROW, type Running, slow, start } from './support.ts';

const inFlight = (service: Running) =>
  until(async () => (await service.metric('model_running')) > 0, 'a request runs');

describe('a stop', () => {
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    test(`at ${name}, with nothing to do`, async () => {
      await using service = await start();
      service.child.signal(name);
      assert.deepEqual(await service.child.exited, { code: 0, signal: null });
      assert.equal(service.child.errors, '');
      assert.equal(service.child.log.at(-1)?.msg, 'stopped');
    });
  }

  for (const workers of ['1', '2']) {
    test(`answers what it has taken, with ${workers} HTTP threads`, async () => {
      await using service = await start({ MAX_WORKERS: workers });
      const taken = Array.from({ length: 8 }, () => service.predict(slow(100)));
      await inFlight(service);
      service.child.signal('SIGTERM');
      const statuses = (await Promise.all(taken)).map(({ status }) => status);
      // A connection may still have waited to be accepted; what was accepted is answered.
      assert.deepEqual(new Set(statuses), new Set([200]));
      assert.deepEqual(await service.child.exited, { code: 0, signal: null });
    });
  }

  test('under load from connections that stay open loses nothing', async () => {
    await using service = await start();
    let stopped = false;
    const answers: number[] = [];
    const client = async () => {
      while (!stopped) {
        const response = await service.predict({ features: ROW }).catch(() => undefined);
        // Once it stops, a connection that is not there is no request that was lost.
        if (response === undefined) break;
        await response.text();
        answers.push(response.status);
        if (response.status === 503) {
          assert.ok(Number(response.headers.get('retry-after')) >= 1);
          break;
        }
      }
    };
    const clients = Array.from({ length: 16 }, client);
    await until(() => answers.length > 500, 'the load is on');
    service.child.signal('SIGTERM');
    assert.deepEqual(await service.child.exited, { code: 0, signal: null });
    stopped = true;
    await Promise.all(clients);
    assert.deepEqual(
      answers.filter((status) => status !== 200 && status !== 503),
      [],
    );
  });

  test('a request on an open connection is refused meanwhile, and told when to try again', async () => {
    await using service = await start();
    using client = new RawClient(service.port);
    const body = JSON.stringify({ features: ROW });
    const request = `POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    client.send(request);
    assert.equal((await client.response())?.status, 200);
    const last = service.predict(slow(400));
    await inFlight(service);
    service.child.signal('SIGTERM');
    await service.child.line('stopping');
    client.send(request);
    const refused = await client.response();
    // The host may have closed the idle connection already, which refuses just as well.
    if (refused !== undefined) {
      assert.equal(refused.status, 503);
      assert.ok(Number(refused.headers['retry-after']) >= 1);
      assert.equal(refused.headers.connection, 'close');
    }
    assert.equal((await last).status, 200);
    assert.deepEqual(await service.child.exited, { code: 0, signal: null });
  });

  test('a second signal changes nothing', async () => {
    await using service = await start();
    const last = service.predict(slow(200));
    await inFlight(service);
    service.child.signal('SIGTERM');
    service.child.signal('SIGINT');
    assert.equal((await last).status, 200);
    assert.deepEqual(await service.child.exited, { code: 0, signal: null });
  });
});
