/** @module Sends invalid, hostile and incomplete requests over real sockets: they get an error or are dropped, and leak nothing. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { head, post, RawClient } from '../support/raw-http.ts';
import { until } from '../support/until.ts';
import { ROW, type Running, responseCounts, slow, start } from './support.ts';

/** Checks that no request is in flight and a prediction succeeds. */
async function healthy(service: Running): Promise<void> {
  await until(async () => (await service.metric('millrace_model_running')) === 0, 'no run is left');
  assert.equal(await service.metric('millrace_model_queue_depth'), 0);
  const response = await service.predict({ features: ROW });
  assert.equal(response.status, 200);
  assert.equal(service.child.errors, '');
}

describe('invalid requests', () => {
  const cases: Readonly<Record<string, readonly [string, number, RegExp]>> = {
    'invalid JSON': ['{"features":', 400, /valid JSON/],
    'an empty body': ['', 400, /empty/],
    'a list': ['[1,2]', 400, /JSON object/],
    'no features': ['{}', 400, /features/],
    'strings among numbers': [
      '{"features":["a","b","c","d"]}',
      400,
      /features\[0\]|features\.0|features/,
    ],
    'null among numbers': ['{"features":[null,1,2,3]}', 400, /null/],
    NaN: ['{"features":[NaN,1,2,3]}', 400, /valid JSON/],
    Infinity: ['{"features":[Infinity,1,2,3]}', 400, /valid JSON/],
    '1e999': ['{"features":[1e999,1,2,3]}', 400, /out of range|finite/],
    'too few features': ['{"features":[1,2,3]}', 400, /4/],
    'too many features': ['{"features":[1,2,3,4,5]}', 400, /4/],
    'rows of different sizes': ['{"features":[[1,2,3,4],[1,2]]}', 400, /./],
    'a body full of features': [`{"features":[${'1,'.repeat(500_000)}1]}`, 400, /500001 values/],
    'a million features': [JSON.stringify({ features: Array(1_000_000).fill(1) }), 413, /longer/],
    'an unknown version': ['{"features":[1,2,3,4],"model_version":"v9"}', 404, /v9/],
    'an unknown model': ['{"features":[1,2,3,4],"model":"x"}', 404, /'x'/],
    'an unknown field': ['{"features":[1,2,3,4],"colour":1}', 400, /colour/],
    'nesting of 100,000 levels': [`{"features":${'['.repeat(100_000)}`, 400, /nested deeper/],
  };
  test('get a 4xx with a clear message, and a valid request succeeds', async () => {
    await using service = await start();
    for (const [name, [body, wanted, message]] of Object.entries(cases)) {
      const response = await service.predict(body);
      const { error, request_id, code } = (await response.json()) as Record<string, string>;
      assert.equal(response.status, wanted, `${name}: ${error}`);
      assert.match(error ?? '', message, name);
      assert.equal(response.headers.get('x-request-id'), request_id ?? '');
      assert.ok(code && !/[/\\]\w+[/\\]/.test(error ?? ''), error ?? '');
    }
    await healthy(service);
    const refused = await service.metric('http_requests_total', { status: '400' });
    assert.equal(refused, Object.values(cases).filter(([, status]) => status === 400).length);
  });

  test('do not leak memory', async () => {
    await using service = await start();
    const bodies = Object.values(cases).map(([body]) => body);
    const round = async () => {
      for (let i = 0; i < 4 * bodies.length; i += 1) {
        await (await service.predict(bodies[i % bodies.length])).text();
      }
      return service.metric('process_resident_memory_bytes');
    };
    await round();
    const before = await round();
    const after = [await round(), await round(), await round()];
    // The minimum, because the time of garbage collections varies.
    const rise = (Math.min(...after) - before) / 2 ** 20;
    assert.ok(rise < 50, `${rise} MiB`);
    await healthy(service);
  });

  test('include wrong methods, types, deadlines and paths', async () => {
    await using service = await start();
    const get = await fetch(`${service.url}/predict`);
    assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST']);
    const type = await service.predict('{}', { 'Content-Type': 'text/plain' });
    assert.equal(type.status, 415);
    for (const timeout of ['0', '-1', 'soon', 'Infinity', '']) {
      const headers = { 'X-Request-Timeout-Ms': timeout };
      const { status } = await service.predict({ features: ROW }, headers);
      assert.equal(status, 400, timeout);
    }
    assert.equal((await fetch(`${service.url}/nothing`)).status, 404);
    await healthy(service);
  });
});

describe('bodies that do not arrive', () => {
  test('are dropped if the connection ends, and release their permit', async () => {
    await using service = await start({ MAX_IN_FLIGHT: '4' });
    await healthy(service);
    const open = await service.metric('process_open_fds');
    for (let i = 0; i < 50; i += 1) {
      using client = new RawClient(service.port);
      client.send(`${head({ 'Content-Length': 100 })}{"features":`);
      client.socket.end();
      const response = await client.response();
      if (response !== undefined) assert.ok(response.status >= 400 && response.status < 500);
    }
    await healthy(service);
    await until(
      async () => (await service.metric('process_open_fds')) <= open + 1,
      'the connections are closed',
    );
  });

  test('get 408 after BODY_TIMEOUT_MS', async () => {
    await using service = await start({ BODY_TIMEOUT_MS: '200', MAX_IN_FLIGHT: '2' });
    using client = new RawClient(service.port);
    client.send(`${head({ 'Content-Length': 100 })}{"features":`);
    const response = await client.response();
    assert.equal(response?.status, 408);
    await healthy(service);
  });

  test('get 504 at the client’s deadline', async () => {
    await using service = await start();
    using client = new RawClient(service.port);
    client.send(`${head({ 'Content-Length': 100, 'X-Request-Timeout-Ms': 100 })}{"features":`);
    const response = await client.response();
    assert.equal(response?.status, 504);
    await healthy(service);
  });

  test('get 413 as soon as their chunks exceed the limit', async () => {
    await using service = await start();
    using good = new RawClient(service.port);
    const body = JSON.stringify({ features: ROW });
    const middle = 7;
    good.send(head({ 'Transfer-Encoding': 'chunked' }));
    for (const part of [body.slice(0, middle), body.slice(middle)]) {
      good.send(`${part.length.toString(16)}\r\n${part}\r\n`);
    }
    good.send('0\r\n\r\n');
    assert.equal((await good.response())?.status, 200);
    using large = new RawClient(service.port);
    large.send(head({ 'Transfer-Encoding': 'chunked' }));
    const chunk = `10000\r\n${'1'.repeat(0x10000)}\r\n`;
    for (let i = 0; i < 32; i += 1) large.send(chunk);
    const response = await large.response();
    assert.equal(response?.status, 413);
    assert.equal(response.headers.connection, 'close');
    await healthy(service);
  });

  test('do not include a complete body of a client that half-closes its connection', async () => {
    await using service = await start();
    using client = new RawClient(service.port);
    client.send(post(JSON.stringify(slow(50))));
    client.socket.end();
    const response = await client.response();
    if (response !== undefined) assert.equal(response.status, 200);
    const statuses = async () => responseCounts(await service.page());
    await until(async () => Object.keys(await statuses()).length > 0, 'its end is counted');
    assert.deepEqual(await statuses(), { [response === undefined ? 499 : 200]: 1 });
    await healthy(service);
  });
});

describe('a wrong Content-Length', () => {
  test('beyond the limit is refused before the body is read', async () => {
    await using service = await start();
    using client = new RawClient(service.port);
    client.send(head({ 'Content-Length': 10_000_000 }));
    const response = await client.response();
    assert.equal(response?.status, 413);
    assert.equal(response.headers.connection, 'close');
    await healthy(service);
  });

  test('below the length of the body ends the body there', async () => {
    await using service = await start();
    using client = new RawClient(service.port);
    client.send(`${head({ 'Content-Length': 5 })}${JSON.stringify({ features: ROW })}`);
    assert.equal((await client.response())?.status, 400);
    await healthy(service);
  });

  for (const [name, headers] of Object.entries({
    'that is negative': { 'Content-Length': -1 },
    'that is not a number': { 'Content-Length': 'many' },
    'beside Transfer-Encoding': { 'Content-Length': 2, 'Transfer-Encoding': 'chunked' },
  })) {
    test(`${name} is refused, and the connection is closed`, async () => {
      await using service = await start();
      using client = new RawClient(service.port);
      client.send(`${head(headers)}{}`);
      const response = await client.response();
      assert.equal(response?.status, 400);
      await client.closed;
      await healthy(service);
    });
  }

  test('does not make the body of a refused request the next request', async () => {
    await using service = await start();
    const hidden = 'GET /alive HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20);
    const refused = [
      [413, { 'Content-Length': 2_000_000 }],
      [415, { 'Content-Length': hidden.length, 'Content-Type': 'text/plain' }],
      [400, { 'Content-Length': hidden.length, 'X-Request-Timeout-Ms': 'soon' }],
    ] as const;
    for (const [status, headers] of refused) {
      using client = new RawClient(service.port);
      client.send(head(headers) + hidden);
      assert.equal((await client.response())?.status, status);
    }
    await healthy(service);
    assert.equal(await service.metric('http_requests_total', { route: '/alive' }), 0);
  });

  test('and other invalid headers are refused', async () => {
    await using service = await start();
    for (const text of [
      `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET /alive HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(100_000)}\r\n\r\n`,
      '\0\x01 nonsense\r\n\r\n',
    ]) {
      using client = new RawClient(service.port);
      client.send(text);
      const { status } = (await client.response())!;
      assert.ok(status >= 400 && status < 500, `${status}`);
    }
    await healthy(service);
  });
});

describe('requests beyond MAX_IN_FLIGHT', () => {
  test('are refused with 503 and Retry-After', async () => {
    await using service = await start({ MAX_IN_FLIGHT: '2' });
    const responses = await Promise.all(
      Array.from({ length: 6 }, () => service.predict(slow(150))),
    );
    const refused = responses.filter(({ status }) => status === 503);
    assert.equal(refused.length, 4);
    for (const { headers } of refused) assert.ok(Number(headers.get('retry-after')) >= 1);
    assert.equal(responses.filter(({ status }) => status === 200).length, 2);
    await healthy(service);
  });
});
