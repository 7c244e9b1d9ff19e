import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type BodyBudget, type ServeCode, ServeError } from '../../../runtime/index.ts';
import { errorResponse } from '../../../services/http/error-response.ts';
import { RequestContext } from '../../../services/http/request-context.ts';
import { assertErrorResponse } from '../../support/error-response.ts';
import { puppetClassifier } from '../../support/puppet-engine.ts';
import { testService } from '../../support/service.ts';
import { until } from '../../support/until.ts';

const features = [1, 2, 3, 4];

/** The value of a sample on the metrics page. */
async function count(service: Awaited<ReturnType<typeof testService>>, line: string) {
  const page = await service.runtime.metrics.render();
  return Number(
    page
      .split('\n')
      .find((each) => each.startsWith(line))
      ?.split(' ')[1] ?? 0,
  );
}
const responsesWith = (status: number) =>
  `http_requests_total{method="POST",route="/predict",status="${status}",service="prediction"}`;

describe('request id', () => {
  test('is the client’s X-Request-Id if that is valid', async () => {
    using service = await testService();
    const id = async (sent: string) =>
      (await service.predict({ features }, { 'X-Request-Id': sent })).headers.get('x-request-id');
    assert.equal(await id('abc_DEF-123'), 'abc_DEF-123');
    for (const bad of ['a b', 'a"b', 'x'.repeat(129), 'é']) assert.match((await id(bad))!, /^req_/);
  });

  test('is generated for each request without one, and always different', async () => {
    using service = await testService();
    const ids = new Set<string | null>();
    for (let i = 0; i < 1500; i += 1) {
      ids.add((await service.predict({ features })).headers.get('x-request-id'));
    }
    assert.equal(ids.size, 1500);
  });
});

describe('deadline', () => {
  test('becomes the timeout of the run', async () => {
    using service = await testService();
    service.model('iris:v2.0').hold();
    const response = await service.predict({ features }, { 'X-Request-Timeout-Ms': '20' });
    await assertErrorResponse(response, 504, 'DEADLINE_EXCEEDED');
    assert.equal(service.model('iris:v2.0').stats().expired, 1);
  });

  for (const value of ['0', '-1', 'soon', '1e999', 'NaN']) {
    test(`refuses "${value}"`, async () => {
      using service = await testService();
      const response = await service.predict({ features }, { 'X-Request-Timeout-Ms': value });
      assert.match(
        await assertErrorResponse(response, 400, 'INVALID_ARGUMENT'),
        /X-Request-Timeout-Ms/,
      );
    });
  }
});

describe('permits', () => {
  test('are taken before the body is read, and released with the response', async () => {
    using service = await testService({ config: { maxInFlight: 2 } });
    const model = service.model('iris:v2.0');
    model.hold();
    const waiting = [service.predict({ features }), service.predict({ features })];
    await until(() => model.stats().queued === 2, 'both wait');
    const refused = await service.predict('not even JSON');
    await assertErrorResponse(refused, 503, 'OVERLOADED');
    assert.equal(refused.headers.get('retry-after'), '1');
    model.release();
    for (const response of await Promise.all(waiting)) assert.equal(response.status, 200);
    assert.equal(service.runtime.admission.inFlight, 0);
    assert.equal((await service.predict({ features })).status, 200);
  });

  test('are refused while draining, and /ready returns 503', async () => {
    using service = await testService();
    const model = service.model('iris:v2.0');
    model.hold();
    const waiting = service.predict({ features });
    await until(() => model.stats().queued === 1, 'it waits');
    const drained = service.runtime.admission.drain();
    const refused = await service.predict({ features });
    await assertErrorResponse(refused, 503, 'DRAINING');
    assert.equal(refused.headers.get('connection'), 'close');
    const ready = await service.app.request('/ready');
    assert.equal(ready.status, 503);
    assert.equal(((await ready.json()) as { status: string }).status, 'draining');
    model.release();
    assert.equal((await waiting).status, 200);
    await drained;
  });

  test('a request that finds the queue of its model full gets a 503 with Retry-After', async () => {
    const script = { ...puppetClassifier() };
    using service = await testService({ engine: () => script });
    const { MillraceError } = await import('../../../native/errors.ts');
    script.run = () => {
      throw new MillraceError('UNAVAILABLE', 'full', { retryAfterMs: 2500 });
    };
    const response = await service.predict({ features });
    await assertErrorResponse(response, 503, 'OVERLOADED');
    assert.equal(response.headers.get('retry-after'), '3');
  });
});

describe('a client that disconnects', () => {
  test('cancels its run, releases its permit and is counted once', async () => {
    using service = await testService();
    const model = service.model('iris:v2.0');
    model.hold();
    const gone = new AbortController();
    const request = new Request('http://test/predict', {
      method: 'POST',
      body: JSON.stringify({ features }),
      headers: { 'Content-Type': 'application/json' },
      signal: gone.signal,
    });
    const response = service.app.fastRoutes['/predict']!(request);
    await until(() => model.stats().queued === 1, 'it waits');
    gone.abort();
    assert.equal((await response).status, 499);
    assert.equal(model.stats().cancelled, 1);
    assert.equal(model.stats().queued, 0);
    assert.equal(service.runtime.admission.inFlight, 0);
    assert.equal(await count(service, responsesWith(499)), 1);
  });
});

describe('a body that does not arrive', () => {
  const stalled = (headers: Record<string, string> = {}) =>
    new Request('http://test/predict', {
      method: 'POST',
      body: new ReadableStream({ pull: () => new Promise(() => {}) }),
      headers: { 'Content-Type': 'application/json', 'Content-Length': '9', ...headers },
      duplex: 'half',
    } as RequestInit);

  test('ends with 408 after BODY_TIMEOUT_MS', async () => {
    using service = await testService({ config: { bodyTimeoutMs: 30 } });
    const response = await service.app.fastRoutes['/predict']!(stalled());
    await assertErrorResponse(response, 408, 'BODY_TIMEOUT');
    assert.equal(service.runtime.admission.inFlight, 0);
  });

  test('ends with 408 after BODY_TIMEOUT_MS while other requests are served', async () => {
    using service = await testService({ config: { bodyTimeoutMs: 30 } });
    const post = service.app.fastRoutes['/predict']!;
    const first = [post(stalled()), post(stalled())];
    const prompt = await service.predict({ features });
    const later = [post(stalled()), post(stalled({ 'X-Request-Timeout-Ms': '1' }))];
    assert.equal(prompt.status, 200);
    const statuses = (await Promise.all([...first, ...later])).map(({ status }) => status);
    assert.deepEqual(statuses, [408, 408, 408, 504]);
    assert.equal(service.runtime.admission.inFlight, 0);
    assert.equal(await count(service, responsesWith(408)), 3);
  });

  test('ends with 504 at the client’s deadline', async () => {
    using service = await testService();
    const response = await service.app.fastRoutes['/predict']!(
      stalled({ 'X-Request-Timeout-Ms': '30' }),
    );
    assert.equal(
      await assertErrorResponse(response, 504, 'DEADLINE_EXCEEDED'),
      'The body was not received by the deadline, because X-Request-Timeout-Ms is 30; send a larger one, or less at once.',
    );
    assert.equal(await count(service, responsesWith(504)), 1);
  });
});

describe('a body with a Content-Length', () => {
  const announced = (body: string) =>
    new Request('http://test/predict', {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json', 'Content-Length': String(body.length) },
    });
  const padded = (body: string) => body.padEnd(300, ' ');

  test('is accepted, whether short or long', async () => {
    using service = await testService();
    const body = JSON.stringify({ features });
    for (const sent of [body, padded(body)]) {
      const response = await service.app.fastRoutes['/predict']!(announced(sent));
      assert.equal(response.status, 200);
    }
  });

  for (const [title, body, says] of [
    ['empty', '', /is empty/],
    ['short and not JSON', '{"features":[1,2', /JSON: it ends at line 1, column 17, /],
    ['long and not JSON', padded('{"features":[1,2'), /JSON: it ends at line 1, column 301, /],
    ['long and blank', padded(''), /is empty/],
    ['too deep', `{"features":${'['.repeat(101)}${']'.repeat(101)}}`, /deeper than 100/],
    ['too deep with both brackets', `${'{"a":['.repeat(51)}${']}'.repeat(51)}`, /deeper than 100/],
  ] as const) {
    test(`is refused if it is ${title}`, async () => {
      using service = await testService();
      const response = await service.app.fastRoutes['/predict']!(announced(body));
      assert.match(await assertErrorResponse(response, 400, 'INVALID_JSON'), says);
      assert.equal(service.runtime.admission.inFlight, 0);
    });
  }

  test('may have many brackets that are not nested deeply', async () => {
    using service = await testService();
    const rows = Array.from({ length: 150 }, () => features);
    const body = JSON.stringify({ features: rows });
    const response = await service.app.fastRoutes['/predict']!(announced(body));
    assert.equal(response.status, 200);
  });
});

describe('metrics and log', () => {
  test('every response is counted once, by status', async () => {
    using service = await testService();
    await service.predict({ features });
    await service.predict({ features });
    await service.predict('x');
    await service.predict('x', { 'Content-Type': 'text/plain' });
    assert.equal(await count(service, responsesWith(200)), 2);
    assert.equal(await count(service, responsesWith(400)), 1);
    assert.equal(await count(service, responsesWith(415)), 1);
  });

  test('a fault is logged with its cause, which the client does not see', async () => {
    const script = { ...puppetClassifier() };
    using service = await testService({ engine: () => script });
    script.run = () => {
      throw new Error('segment 0x7f in /opt/secret.so');
    };
    const response = await service.predict({ features });
    const message = await assertErrorResponse(response, 500, 'INTERNAL');
    assert.equal(message, 'The model failed to run.');
    assert.match(JSON.stringify(service.lines.at(-1)), /"level":50.*secret/);
  });

  test('a response is logged only at level debug', async () => {
    using quiet = await testService();
    await quiet.predict({ features });
    assert.deepEqual(quiet.lines, []);
    using loud = await testService({ config: { logLevel: 'debug' } });
    const response = await loud.predict({ features });
    const line = loud.lines.at(-1)!;
    assert.equal(line.request_id, response.headers.get('x-request-id'));
    assert.equal(line.batchRows, 8);
    await loud.predict('x');
    assert.equal(loud.lines.at(-1)!.code, 'INVALID_JSON');
  });
});

test('a request whose error cannot be recorded gets a response', async () => {
  const owner = {
    clock: { now: () => 0 },
    bodies: {} as BodyBudget,
    idleTimeoutSecs: 0,
    startReceiving: () => undefined,
    endReceiving: () => undefined,
    failure: () => {
      throw new Error('no space left on device');
    },
    release() {},
  };
  const context = new RequestContext(owner, new Request('http://x'), 'id', 0, undefined);
  const response = context.response();
  context.fail(new Error('x'));
  await assertErrorResponse(await response, 500, 'INTERNAL');
});

test('only temporary errors have a Retry-After', () => {
  const after = (code: ServeCode, retryAfterMs?: number) =>
    errorResponse(new ServeError(code, 'x', { retryAfterMs }), 'id').headers.get('retry-after');
  assert.equal(after('OVERLOADED'), '1');
  assert.equal(after('OVERLOADED', 2001), '3');
  assert.equal(after('DRAINING'), '1');
  assert.equal(after('MODEL_NOT_READY', 0), '1');
  for (const code of ['MODEL_NOT_READY', 'CONTROL_DISABLED', 'INTERNAL'] as const) {
    assert.equal(after(code), null);
  }
});
