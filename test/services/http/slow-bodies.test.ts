/** @module Tests slow bodies: they are counted separately, refused below the minimum rate, and do not block others. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertErrorResponse } from '../../support/error-response.ts';
import { type TestService, testService } from '../../support/service.ts';
import { until } from '../../support/until.ts';

const features = [1, 2, 3, 4];
const body = new TextEncoder().encode(JSON.stringify({ features }));

/** A request whose body the test sends piece by piece. */
function slowRequest(service: TestService, announced?: number) {
  const { readable: stream, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const length = announced === undefined ? {} : { 'Content-Length': String(announced) };
  const request = new Request('http://test/predict', {
    method: 'POST',
    body: stream,
    headers: { 'Content-Type': 'application/json', ...length },
    duplex: 'half',
  } as RequestInit);
  const response = Promise.resolve(service.app.fastRoutes['/predict']!(request));
  return {
    response,
    send: (bytes: Uint8Array) => void writer.write(bytes).catch(() => {}),
    end: () => void writer.close().catch(() => {}),
  };
}

const receiving = (service: TestService, count: number) =>
  until(() => service.runtime.admission.receiving === count, `${count} are receiving`);

describe('slow bodies', () => {
  test('do not block other requests, and are served once they have arrived', async () => {
    using service = await testService({ config: { maxInFlight: 2 } });
    const { admission } = service.runtime;
    const slow = [];
    for (let i = 0; i < 6; i += 1) {
      slow.push(slowRequest(service, i % 2 === 0 ? body.length : undefined));
      slow[i]!.send(body.subarray(0, 1));
      if (i % 2 === 1) await receiving(service, i + 1);
    }
    assert.equal(admission.inFlight, 0);
    assert.equal((await service.predict({ features })).status, 200);
    for (const each of slow) {
      each.send(body.subarray(1));
      each.end();
      assert.equal((await each.response).status, 200);
    }
    assert.deepEqual([admission.inFlight, admission.receiving], [0, 0]);
  });

  test('are refused beyond MAX_RECEIVING', async () => {
    using service = await testService({ config: { maxInFlight: 8, maxReceiving: 2 } });
    const first = [slowRequest(service), slowRequest(service)];
    await receiving(service, 2);
    const third = await slowRequest(service).response;
    await assertErrorResponse(third, 503, 'OVERLOADED');
    assert.equal(third.headers.get('retry-after'), '1');
    for (const each of first) {
      each.send(body);
      each.end();
      assert.equal((await each.response).status, 200);
    }
    assert.equal(service.runtime.admission.receiving, 0);
  });

  test('are refused if too many requests are in flight when they have arrived', async () => {
    using service = await testService({ config: { maxInFlight: 1 } });
    const slow = slowRequest(service);
    await receiving(service, 1);
    const model = service.model('iris:v2.0');
    model.hold();
    const running = service.predict({ features });
    await until(() => service.runtime.admission.inFlight === 1, 'one runs');
    slow.send(body);
    slow.end();
    await assertErrorResponse(await slow.response, 503, 'OVERLOADED');
    assert.equal(service.runtime.admission.receiving, 0);
    model.release();
    assert.equal((await running).status, 200);
    assert.equal(service.runtime.admission.inFlight, 0);
  });

  test('are refused below MIN_BODY_RATE, and not above it', async () => {
    let now = 0;
    using service = await testService({
      clock: { now: () => now },
      config: { minBodyRate: 1000, bodyTimeoutMs: 60_000 },
    });
    const silent = slowRequest(service);
    const fast = slowRequest(service);
    fast.send(new Uint8Array(4000).fill(0x20));
    now = 100;
    await receiving(service, 2);
    now = 4900;
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(service.runtime.admission.receiving, 2);
    now = 5100;
    await assertErrorResponse(await silent.response, 408, 'BODY_TIMEOUT');
    now = 8900;
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(service.runtime.admission.receiving, 1);
    now = 9100;
    const message = await assertErrorResponse(await fast.response, 408, 'BODY_TIMEOUT');
    assert.match(message, /less than 1000 bytes a second/);
    assert.equal(service.runtime.admission.receiving, 0);
  });

  test('are completed when the service drains', async () => {
    using service = await testService();
    const slow = slowRequest(service);
    await receiving(service, 1);
    let drained = false;
    const drain = service.runtime.admission.drain().then(() => {
      drained = true;
    });
    slow.send(body);
    slow.end();
    assert.equal(drained, false);
    assert.equal((await slow.response).status, 200);
    await drain;
  });
});
