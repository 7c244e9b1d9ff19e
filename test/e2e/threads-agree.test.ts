/** @module Tests that all HTTP threads serve the same models after concurrent changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RawClient } from '../support/raw-http.ts';
import { MODELS, type Running, start } from './support.ts';

const ROUNDS = 12;

/** A configuration with a label, which shows which configuration a thread has. */
const config = (rows: number) =>
  JSON.stringify({ parameters: { config: JSON.stringify({ max_batch_size: rows }) } });

interface TestResponse {
  readonly thread: string;
  readonly status: number;
  readonly body: string;
}

async function ask(client: RawClient, path: string, body?: string): Promise<TestResponse> {
  const head = `${body === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1\r\nHost: localhost\r\n`;
  const type = 'Content-Type: application/json\r\n';
  client.send(
    body === undefined
      ? `${head}\r\n`
      : `${head}${type}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  const response = (await client.response())!;
  const thread = response.headers['x-request-id']!.slice(0, 'req_'.length + 10);
  return { thread, status: response.status, body: response.body };
}

/** A connection to each of the two threads. The kernel chooses a thread for each new connection at random. */
async function bothThreads(service: Running): Promise<RawClient[]> {
  const found = new Map<string, RawClient>();
  for (let i = 0; i < 200 && found.size < 2; i += 1) {
    const client = new RawClient(service.port);
    const { thread } = await ask(client, '/alive');
    if (found.has(thread)) client[Symbol.dispose]();
    else found.set(thread, client);
  }
  assert.equal(found.size, 2);
  return [...found.values()];
}

test('concurrent loads of two configurations leave both threads with the same one', async () => {
  // A configuration from a client needs versions that are numbers.
  const models = { iris: { versions: { '1': MODELS.iris!.versions['v1.0']! } } };
  await using service = await start(
    { MAX_WORKERS: '2', MODEL_CONTROL_MODE: 'explicit', LOAD_MODEL: '*' },
    models,
  );
  const clients = await bothThreads(service);
  for (let round = 0; round < ROUNDS; round += 1) {
    const loads = clients.map((client, index) =>
      ask(client, '/v2/repository/models/iris/load', config(2 + 2 * index + round)),
    );
    for (const { status, body } of await Promise.all(loads)) assert.equal(status, 200, body);
    const shown = await Promise.all(clients.map((client) => ask(client, '/v2/models/iris/config')));
    assert.equal(shown[0]!.body, shown[1]!.body, `round ${round}`);
  }
  for (const client of clients) client[Symbol.dispose]();
});
