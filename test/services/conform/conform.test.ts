/** @module The conformance checker: on ourselves, and on servers that are made to fail. */
import assert from 'node:assert/strict';
import { createServer, type Server as HttpServer } from 'node:http';
import { describe, test } from 'node:test';
import { CASES, conform, PROFILES, type Result, Server } from '../../../services/conform/index.ts';
import { junit, summary } from '../../../services/conform/report.ts';
import { ServiceChild } from '../../support/child.ts';

const open = (port: number, model: string) =>
  Server.open({ url: `http://127.0.0.1:${port}`, timeoutMs: 20_000, headers: {} }, model);

const failures = (results: readonly Result[]) =>
  results.filter(({ outcome }) => outcome === 'failed').map(({ id, reason }) => `${id}: ${reason}`);

describe('the cases', () => {
  test('are many, each with a name and a sentence of its own', () => {
    assert.ok(CASES.length >= 120, `${CASES.length}`);
    assert.equal(new Set(CASES.map(({ id }) => id)).size, CASES.length);
    assert.equal(new Set(CASES.map(({ title }) => title)).size, CASES.length);
    for (const profile of PROFILES) assert.ok(CASES.some((each) => each.profile === profile));
  });

  test('all hold of the server that is shipped with them', async () => {
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
    // What a model with one input and one output cannot show.
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

/** A server that describes its model rightly the first time, and answers everything else the same. */
async function stubborn(status: number, body: string): Promise<HttpServer & AsyncDisposable> {
  let asked = 0;
  const server = createServer((request, response) => {
    request.resume();
    asked += 1;
    response.writeHead(asked === 1 ? 200 : status, { 'Content-Type': 'text/plain' });
    response.end(asked === 1 ? metadata : body);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return Object.assign(server, {
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections?.();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

const portOf = (server: HttpServer) => (server.address() as { port: number }).port;

describe('a server that does not conform', () => {
  for (const [status, body] of [
    [200, '{}'],
    [500, '{"error":"no"}'],
    [404, 'not found'],
  ] as const) {
    test(`is told so: ${status} ${body}`, async () => {
      await using server = await stubborn(status, body);
      const results = await conform(await open(portOf(server), 'm'), CASES);
      const passed = results.filter(({ outcome }) => outcome === 'passed').map(({ id }) => id);
      const all = `${passed.length} of ${results.length} passed: ${passed}`;
      assert.ok(passed.length < results.length / 4, all);
    });
  }

  test('that cannot be asked at all is an error, not a result', async () => {
    await using server = await stubborn(200, '{}');
    const port = portOf(server);
    await server[Symbol.asyncDispose]();
    await assert.rejects(open(port, 'm'));
  });
});

test('reports are for people and for machines', () => {
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
