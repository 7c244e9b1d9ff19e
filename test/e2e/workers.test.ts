/** @module Tests several HTTP threads on one port, which share the native engine, its models and metrics. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sumOf } from '../support/metrics.ts';
import { post, RawClient, type RawResponse } from '../support/raw-http.ts';
import { MODELS, outcomesOf, ROW, type Running, responseCounts, start } from './support.ts';

const WORKERS = 3;
/** Connections to open. The kernel chooses a thread for each at random, so this many almost certainly reach all three. */
const CONNECTIONS = 200;

/** The prefix of the request ids of a thread. */
const threadOf = ({ headers }: RawResponse) =>
  headers['x-request-id']!.slice(0, 'req_'.length + 10);

/** Opens one connection to each thread. */
async function connections(service: Running): Promise<Map<string, RawClient>> {
  const found = new Map<string, RawClient>();
  for (let i = 0; i < CONNECTIONS && found.size < WORKERS; i += 1) {
    const client = new RawClient(service.port);
    client.send(post(JSON.stringify({ features: ROW })));
    const response = (await client.response())!;
    assert.equal(response.status, 200);
    const thread = threadOf(response);
    if (found.has(thread)) client[Symbol.dispose]();
    else found.set(thread, client);
  }
  return found;
}

async function get(client: RawClient, path: string): Promise<string> {
  client.send(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`);
  const { status, body } = (await client.response())!;
  assert.equal(status, 200);
  return body;
}

async function fromEach(threads: Map<string, RawClient>, path: string): Promise<string[]> {
  const responses: string[] = [];
  for (const client of threads.values()) responses.push(await get(client, path));
  return responses;
}

/** A metrics page without the numbers that change with each request for it or all the time. */
const lasting = (page: string) =>
  page
    .split('\n')
    .filter((line) => !/^process_|^http_.*route="\/metrics"/.test(line))
    .join('\n');

describe(`with MAX_WORKERS=${WORKERS}`, () => {
  test('every thread responds, with the same metrics and models', async () => {
    await using service = await start({ MAX_WORKERS: `${WORKERS}` });
    const threads = await connections(service);
    assert.equal(threads.size, WORKERS);
    const each = 10;
    for (const client of threads.values()) {
      for (let i = 0; i < each; i += 1) {
        client.send(post(JSON.stringify({ features: ROW })));
        assert.equal((await client.response())!.status, 200);
      }
    }
    const [page, ...others] = await fromEach(threads, '/metrics');
    for (const other of others) assert.equal(lasting(other), lasting(page!));
    const [ready, ...rest] = await fromEach(threads, '/ready');
    for (const other of rest) assert.equal(other, ready);
    const succeeded = responseCounts(page!)[200]!;
    assert.ok(succeeded >= WORKERS * (each + 1));
    // The threads share the model, which counts the warm-up run of each thread and all requests.
    assert.deepEqual(outcomesOf(page!, 'iris'), {
      ...{ completed: succeeded + WORKERS, failed: 0, cancelled: 0, expired: 0 },
      ...{ queued: 0, running: 0 },
    });
    assert.equal(sumOf(page!, 'millrace_model_info'), Object.keys(MODELS).length);
    for (const client of threads.values()) client[Symbol.dispose]();
  });

  test('a stop ends every thread after its accepted requests are completed', async () => {
    await using service = await start({ MAX_WORKERS: `${WORKERS}` });
    const threads = await connections(service);
    const busy = [...threads.values()];
    for (const client of busy) client.send(post('{"model":"slow","features":[200000]}'));
    const other = new RawClient(service.port);
    let inside = 0;
    while (inside < busy.length) {
      const { queued, running } = outcomesOf(await get(other, '/metrics'), 'slow');
      inside = queued + running;
    }
    other[Symbol.dispose]();
    service.child.signal('SIGTERM');
    for (const client of busy) assert.equal((await client.response())?.status, 200);
    assert.deepEqual(await service.child.exited, { code: 0, signal: null });
    assert.equal(service.child.errors, '');
  });
});
