/** @module Tests bodies that are too large, in too many pieces or incomplete, over real sockets: they are refused with bounded memory. */
import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { RawClient, type RawResponse } from '../support/raw-http.ts';
import { until } from '../support/until.ts';
import { type Running, start } from './support.ts';

const MIB = 2 ** 20;
/** The default of MAX_REQUEST_BYTES. */
const LIMIT = 64 * MIB;
/** How far memory may rise above that of an idle server, as a multiple of LIMIT: garbage is collected late. */
const MAX_LIMITS = 5;

const MODELS = { f: { versions: { '1': 'test/fixtures/models/identity-float32.onnx' } } };
const REQUEST = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[1,2,3]}]}';

const serve = (env: Readonly<Record<string, string>> = {}) =>
  start({ SERVICE: 'inference', GRPC_PORT: '0', ...env }, MODELS);

function head(headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /v2/models/f/infer HTTP/1.1\r\nHost: test\r\n${lines.join('')}\r\n`;
}

/** Yields a body in chunks. */
function chunked(piece: Uint8Array): Uint8Array {
  return Buffer.concat([
    Buffer.from(`${piece.length.toString(16)}\r\n`),
    piece,
    Buffer.from('\r\n'),
  ]);
}

async function send(
  service: Running,
  headers: Readonly<Record<string, string | number>>,
  pieces: Iterable<Uint8Array>,
): Promise<RawResponse> {
  using client = new RawClient(service.port);
  client.send(head(headers));
  for (const piece of pieces) client.socket.write(piece);
  const response = await client.response();
  assert.ok(response !== undefined, 'there is a response');
  return response;
}

async function responses(service: Running): Promise<void> {
  const url = `${service.url}/v2/models/f/infer`;
  const response = await fetch(url, { method: 'POST', body: REQUEST });
  assert.equal(response.status, 200);
  const { outputs } = (await response.json()) as { outputs: { data: number[] }[] };
  assert.deepEqual(outputs[0]!.data, [1, 2, 3]);
  assert.equal(service.child.errors, '');
}

function* times(piece: Uint8Array, count: number): Iterable<Uint8Array> {
  for (let i = 0; i < count; i += 1) yield piece;
}

test('a body of 100 MiB gets 413, with or without Content-Length, in JSON, binary or compressed', async () => {
  await using service = await serve();
  await responses(service);
  const before = service.child.peakMemory();
  const piece = Buffer.alloc(MIB, '1');
  const bomb = gzipSync(Buffer.alloc(512 * MIB));
  const header = { 'Inference-Header-Content-Length': 100 };
  const stream = { 'Transfer-Encoding': 'chunked' };
  const cases = {
    announced: [{ 'Content-Length': 100 * MIB }, times(piece, 100)],
    'announced, more than the host would take': [{ 'Content-Length': 1000 * MIB }, []],
    'announced, in binary': [{ 'Content-Length': 100 * MIB, ...header }, times(piece, 100)],
    'in chunks': [stream, times(chunked(piece), 100)],
    'in chunks, in binary': [{ ...stream, ...header }, times(chunked(piece), 100)],
    'packed 512 MiB': [{ 'Content-Encoding': 'gzip', 'Content-Length': bomb.length }, [bomb]],
  } as const;
  for (const [name, [headers, pieces]] of Object.entries(cases)) {
    const { status, body } = await send(service, headers, pieces);
    assert.equal(status, 413, `${name}: ${body}`);
    assert.match(JSON.parse(body).error, /^The body is longer than 67108864 bytes/, name);
    await responses(service);
    const rise = service.child.peakMemory() - before;
    assert.ok(rise < MAX_LIMITS * LIMIT, `${name}: ${Math.round(rise / MIB)} MiB`);
  }
});

test('a body may arrive in 65,536 chunks, and many more are refused or cheap', async () => {
  await using service = await serve();
  const before = service.child.peakMemory();
  const stream = { 'Transfer-Encoding': 'chunked' };
  const end = Buffer.from('0\r\n\r\n');
  const body = Buffer.from(REQUEST.padEnd(65_536));
  const letters = Buffer.concat([...body].map((letter) => chunked(Uint8Array.of(letter))));
  const { status, body: text } = await send(service, stream, [letters, end]);
  assert.equal(status, 200, text);
  const blanks = Buffer.concat([...times(chunked(Buffer.from(' ')), 100_000)]);
  const { status: many, body: error } = await send(service, stream, [blanks, end]);
  // Bun merges the chunks that arrive while the service is busy, so it may read them all in a few thousand pieces.
  const merged = process.versions.bun !== undefined && many === 400;
  if (!merged) assert.equal(many, 413, error);
  const message = merged ? /must be a JSON object/ : /too many small pieces/;
  assert.match(JSON.parse(error).error, message);
  await responses(service);
  assert.ok(service.child.peakMemory() - before < MAX_LIMITS * LIMIT);
});

test('clients that disconnect during a body leave no memory or permits behind', async () => {
  await using service = await serve({ MAX_IN_FLIGHT: '4' });
  await responses(service);
  const open = await service.metric('process_open_fds');
  const heads = [
    { 'Content-Length': 10 * MIB },
    { 'Transfer-Encoding': 'chunked' },
    { 'Content-Length': 10 * MIB, 'Inference-Header-Content-Length': 100 },
  ];
  const piece = chunked(Buffer.alloc(MIB, '1'));
  for (let i = 0; i < 30; i += 1) {
    using client = new RawClient(service.port);
    client.send(head(heads[i % heads.length]!));
    await new Promise<void>((sent) => client.socket.write(piece, () => sent()));
  }
  await until(
    async () => (await service.metric('process_open_fds')) <= open + 1,
    'the connections are closed',
  );
  await responses(service);
});
