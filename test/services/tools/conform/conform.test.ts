/** @module Runs the conformance checker against this project's server and against servers that do not conform. */
import assert from 'node:assert/strict';
import { createServer, type Server as HttpServer, type RequestListener } from 'node:http';
import { describe, test } from 'node:test';
import {
  CASES,
  conform,
  PROFILES,
  type Result,
  Server,
} from '../../../../services/tools/conform/index.ts';
import { junit, summary } from '../../../../services/tools/conform/report.ts';
import { ServiceChild } from '../../../support/child.ts';

const open = (port: number, model: string, timeoutMs = 20_000) =>
  Server.open({ url: `http://127.0.0.1:${port}`, timeoutMs, headers: {} }, model);

const failures = (results: readonly Result[]) =>
  results.filter(({ outcome }) => outcome === 'failed').map(({ id, reason }) => `${id}: ${reason}`);

describe('the conformance cases', () => {
  test('have unique ids and titles, and cover every profile', () => {
    assert.ok(CASES.length >= 120, `${CASES.length}`);
    assert.equal(new Set(CASES.map(({ id }) => id)).size, CASES.length);
    assert.equal(new Set(CASES.map(({ title }) => title)).size, CASES.length);
    for (const profile of PROFILES) assert.ok(CASES.some((each) => each.profile === profile));
  });

  test('pass against the inference service', async () => {
    const env = {
      SERVICE: 'inference',
      PORT: '0',
      MODEL_CONTROL_MODE: 'explicit',
      LOAD_MODEL: '*',
    };
    await using child = new ServiceChild('services/main.ts', env);
    const results = await conform(await open(await child.port(), 'iris'), CASES);
    assert.deepEqual(failures(results), []);
    const skipped = results.filter(({ outcome }) => outcome === 'skipped');
    // These cases need a model with several inputs or outputs.
    assert.deepEqual(
      skipped.map(({ id }) => id),
      ['infer/order', 'binary/mixed-in', 'binary/mixed-out'],
    );
  });
});

const metadata = JSON.stringify({
  name: 'm',
  versions: ['1'],
  platform: 'x',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
});

/** A server that describes its model in the first response, and calls `listener` for every later request. */
async function server(listener: RequestListener): Promise<HttpServer & AsyncDisposable> {
  let received = 0;
  const started = createServer((request, response) => {
    received += 1;
    if (received > 1) return listener(request, response);
    response.writeHead(200, { 'Content-Type': 'application/json', Connection: 'close' });
    response.end(metadata);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => started.once('listening', resolve));
  return Object.assign(started, {
    [Symbol.asyncDispose]: () => {
      started.closeAllConnections?.();
      return new Promise<void>((resolve) => started.close(() => resolve()));
    },
  });
}

/** A server that sends the same response to every request. */
const constantServer = (status: number, body: string) =>
  server((request, response) => {
    request.resume();
    response.writeHead(status, { 'Content-Type': 'text/plain' });
    response.end(body);
  });

const portOf = (server: HttpServer) => (server.address() as { port: number }).port;

describe('a server that does not conform', () => {
  for (const [status, body] of [
    [200, '{}'],
    [500, '{"error":"no"}'],
    [404, 'not found'],
  ] as const) {
    test(`fails most cases if every response is ${status} ${body}`, async () => {
      await using wrong = await constantServer(status, body);
      const results = await conform(await open(portOf(wrong), 'm'), CASES);
      const passed = results.filter(({ outcome }) => outcome === 'passed').map(({ id }) => id);
      const all = `${passed.length} of ${results.length} passed: ${passed}`;
      assert.ok(passed.length < results.length / 4, all);
    });
  }

  const unresponsive: Readonly<
    Record<string, readonly [listener: RequestListener, reason: RegExp]>
  > = {
    'never responds': [() => {}, /no response within 200 ms/],
    'closes every connection': [({ socket }) => socket.destroy(), /the connection failed: /],
    'stops in the middle of a response': [
      (_, response) => void response.writeHead(200, { 'Content-Length': '10' }).write('1234'),
      /no response within 200 ms/,
    ],
    'never ends its response': [
      (_, response) => {
        const part = new Uint8Array(8 * 1024 * 1024);
        const more = () => {
          while (response.write(part));
        };
        response.on('drain', more);
        more();
      },
      /no response within 200 ms|the body is longer than/,
    ],
  };
  for (const [what, [listener, reason]] of Object.entries(unresponsive)) {
    test(`gets no more requests after three cases if it ${what}`, async () => {
      await using silent = await server(listener);
      const started = performance.now();
      const results = await conform(await open(portOf(silent), 'm', 200), CASES);
      assert.ok(performance.now() - started < 10_000);
      assert.equal(failures(results).length, CASES.length);
      for (const result of results.slice(0, 3)) assert.match(result.reason, reason);
      for (const result of results.slice(3)) assert.match(result.reason, /^skipped: the server/);
    });
  }

  test('passes although it closes kept-alive connections', async () => {
    const used = new WeakSet<object>();
    await using closing = await server(({ socket, url }, response) => {
      if (used.has(socket)) return void socket.destroy();
      used.add(socket);
      response.end(url === '/v2/health/live' ? '{"live":true}' : '{}');
    });
    const cases = CASES.filter(({ id }) => id.startsWith('health/live'));
    const results = await conform(await open(portOf(closing), 'm'), [...cases, ...cases, ...cases]);
    assert.deepEqual(failures(results), []);
  });

  test('makes Server.open reject if nothing listens on the port', async () => {
    await using gone = await constantServer(200, '{}');
    const port = portOf(gone);
    await gone[Symbol.asyncDispose]();
    await assert.rejects(open(port, 'm'));
  });
});

test('the results can be reported as a summary line and as JUnit XML', () => {
  const result = { profile: 'core', ms: 1500 } as const;
  const results: Result[] = [
    { ...result, id: 'a/b', title: 'one', outcome: 'passed', reason: '' },
    {
      ...result,
      id: 'a/c',
      title: 'two <2>',
      outcome: 'failed',
      reason: 'expected "x" & got\u0001',
    },
    { ...result, id: 'a/d', title: 'three', outcome: 'skipped', reason: 'no rows' },
  ];
  assert.equal(summary(results), '1 passed, 1 failed, 1 skipped');
  const xml = junit(results);
  assert.match(xml, /<testsuite name="conform" tests="3" failures="1" skipped="1" time="4\.500">/);
  assert.match(
    xml,
    /name="a\/c: two &lt;2>" time="1\.500"><failure message="expected &quot;x&quot; &amp; got·"\/>/,
  );
  assert.match(xml, /<skipped message="no rows"\/>/);
});
