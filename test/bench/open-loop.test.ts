import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Connection, postRequest, ResponseReader } from '../../bench/drivers/connection.ts';
import { runOpenLoop } from '../../bench/drivers/open-loop.ts';
import { Tally } from '../../bench/drivers/tally.ts';
import {
  goodput,
  type OpenRow,
  openFigures,
  openTable,
  scenarios,
} from '../../bench/suites/open-loop/report.ts';

const RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Request-Id: a\r\n\r\nhello';

test('ResponseReader reads a response in pieces of any size', () => {
  for (let cut = 1; cut < RESPONSE.length; cut += 1) {
    const reader = new ResponseReader();
    assert.equal(reader.add(Buffer.from(RESPONSE.slice(0, cut))), undefined);
    const response = reader.add(Buffer.from(RESPONSE.slice(cut)));
    assert.equal(response?.status, 200);
    assert.match(response.head, /X-Request-Id: a$/);
  }
});

test('ResponseReader keeps the bytes after a response', () => {
  const reader = new ResponseReader();
  const next = 'HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n';
  assert.equal(reader.add(Buffer.from(RESPONSE + next.slice(0, 20)))?.status, 200);
  assert.equal(reader.add(Buffer.from(next.slice(20)))?.status, 503);
});

test('ResponseReader refuses a response without a length', () => {
  const reader = new ResponseReader();
  const bytes = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  assert.throws(() => reader.add(bytes), /Not an HTTP response with a length/);
});

test('postRequest returns a whole request, with its length in bytes', () => {
  const text = postRequest('http://127.0.0.1:80/predict', '{"a":"ä"}', { 'X-A': '1' }).toString();
  assert.match(text, /^POST \/predict HTTP\/1\.1\r\nHost: 127\.0\.0\.1\r\n/);
  assert.match(text, /\r\nContent-Length: 10\r\nX-A: 1\r\n\r\n\{"a":"ä"\}$/);
});

test('Connection sends one request after the other, and rejects if the server closes it', async () => {
  const bodies: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      bodies.push(await request.text());
      return new Response('x'.repeat(100_000), { status: bodies.length === 2 ? 503 : 200 });
    },
  });
  const url = `http://127.0.0.1:${server.port}/predict`;
  const connection = await Connection.open(url);
  // Larger than the buffer of a socket.
  const large = 'y'.repeat(4_000_000);
  assert.equal((await connection.send(postRequest(url, large))).status, 200);
  assert.equal((await connection.send(postRequest(url, 'b'))).status, 503);
  assert.deepEqual([bodies[0]?.length, bodies[1]], [large.length, 'b']);
  await server.stop(true);
  await assert.rejects(connection.send(postRequest(url, 'c')), /closed the connection/);
});

test('Tally counts responses by outcome', () => {
  const tally = new Tally(25);
  for (const [status, latency] of [
    [200, 5],
    [200, 25],
    [200, 26],
    [503, 1],
    [504, 21],
    [500, 1],
  ] as const) {
    tally.sent(0.5);
    tally.responded(status, latency);
  }
  tally.failed();
  const { lagP99Ms, p50Ms, p99Ms, ...counts } = tally.result();
  assert.deepEqual(counts, { offered: 7, inTime: 2, late: 1, refused: 1, expired: 1, failed: 2 });
  assert.deepEqual([lagP99Ms, p50Ms, p99Ms], [0.5, 25, 26]);
});

test('Tally without requests has only zeros', () => {
  assert.deepEqual(new Set(Object.values(new Tally(1).result())), new Set([0]));
});

test('the driver counts every due request, and sends the deadline', async () => {
  let sent = 0;
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      sent += 1;
      return new Response('{}', {
        status: request.headers.get('x-request-timeout-ms') ? 200 : 500,
      });
    },
  });
  const load = {
    url: `http://127.0.0.1:${server.port}/predict`,
    body: '{}',
    inTimeMs: 10_000,
    traffic: { kind: 'poisson' },
    perSecond: 500,
    milliseconds: 200,
    warmUpMs: 0,
    seed: 1,
  } as const;
  const result = await runOpenLoop({ ...load, deadlineMs: 9000 });
  assert.equal(result.offered, sent);
  assert.equal(result.inTime, sent);
  const without = await runOpenLoop(load);
  assert.equal(without.failed, without.offered);
  await server.stop(true);
});

const row = (scenario: string, changes: Partial<OpenRow> = {}): OpenRow => ({
  ...{ scenario, repeat: 0, capacity: 1000, seconds: 2, offered: 2600, inTime: 1960 },
  ...{ late: 0, refused: 640, expired: 0, failed: 0, p50Ms: 9, p99Ms: 20, lagP99Ms: 0.3 },
  ...{ connections: 256, cpuSeconds: 0.1, onCpu: 0.9, otherCores: 0 },
  ...changes,
});

test('goodput is relative to the capacity, or to the offered load if that is lower', () => {
  assert.equal(goodput(row('Poisson 1.3 ×')), 0.98);
  assert.equal(goodput(row('Poisson 0.7 ×', { offered: 1400, inTime: 1400 })), 1);
});

test('openFigures judges overload only with deadlines', () => {
  const rows = scenarios.map(({ name }) => row(name));
  const figures = openFigures(rows);
  assert.deepEqual(
    figures.map(({ target, of, outcome }) => [target, of, outcome]),
    [
      ['T8', 'Poisson 1.3 ×', { values: [0.98] }],
      ['T8', 'Poisson 2 ×', { values: [0.98] }],
    ],
  );
  assert.match(openTable(rows), /^Poisson 1\.3 ×\s+1,300\s+980\s+0\.98\s+0\.0 %\s+24\.6 %/m);
});

test('openFigures fails a request without a response, and voids a driver that was late', () => {
  const rows = scenarios.map(({ name }, i) => row(name, i === 1 ? { failed: 3 } : { lagP99Ms: 9 }));
  const [first, second] = openFigures(rows);
  assert.match(JSON.stringify(first?.outcome), /"failed":"3 requests had no response/);
  assert.match(JSON.stringify(second?.outcome), /"void":"requests left the driver 9 ms late/);
});
