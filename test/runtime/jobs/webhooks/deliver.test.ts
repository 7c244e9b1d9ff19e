import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { WEBHOOK_ATTEMPTS } from '../../../../runtime/jobs/retry.ts';
import { sumOf } from '../../../support/metrics.ts';
import { testStore } from '../../../support/store.ts';
import { until } from '../../../support/until.ts';
import {
  batch,
  done,
  ended,
  never,
  passStart,
  refused,
  request,
  retryNow,
  type TestJobs,
  testJobs,
} from '../support.ts';

const store = await testStore();
/** Webhooks that were received, and the statuses that answer the next ones. */
const received: { readonly signature: string; readonly body: string }[] = [];
const statuses: number[] = [];
const server = http.createServer((incoming, response) => {
  let body = '';
  incoming.on('data', (piece) => {
    body += piece;
  });
  incoming.on('end', () => {
    received.push({ signature: String(incoming.headers['x-millrace-signature']), body });
    response.writeHead(statuses.shift() ?? 204).end();
  });
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const webhook = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
after(async () => {
  server.closeAllConnections();
  server.close();
  await store.close();
});

const config = { webhookAllow: ['127.0.0.1'], webhookSecret: 'secret' };

async function delivered({ jobs }: TestJobs, id: string, status = 'delivered'): Promise<void> {
  await until(async () => {
    await retryNow(store);
    return (await jobs.find(undefined, id, 0, never)).webhookStatus === status;
  }, `the webhook is ${status}`);
}

test('a job that has ended is reported once, signed', async () => {
  await using kit = await testJobs(store, () => done({ big: 1 }), { config });
  const { id } = await kit.jobs.create(undefined, request('a', { webhook }));
  await delivered(kit, id);
  assert.equal(received.length, 1);
  const [{ signature, body }] = received.splice(0) as [(typeof received)[number]];
  const [, time, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
  assert.equal(mac, createHmac('sha256', 'secret').update(`${time}.${body}`).digest('hex'));
  assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 60);
  const { job_id, status, result } = JSON.parse(body);
  assert.deepEqual([job_id, status, result], [id, 'succeeded', { big: 1 }]);
  assert.equal(
    sumOf(await kit.metrics.render(), 'millrace_job_webhooks_total', { outcome: 'delivered' }),
    1,
  );
});

test('a job that failed, was cancelled or expired, and a batch, are reported too', async () => {
  const ids = new Map<string, string>();
  {
    await using kit = await testJobs(store, () => refused, { config });
    ids.set((await kit.jobs.create(undefined, request('b', { webhook }))).id, 'failed');
    ids.set(await batch(kit.jobs, ['1', '2'], { webhook }), 'succeeded');
    for (const id of ids.keys()) await delivered(kit, id);
  }
  await using idle = await testJobs(store, () => refused, {
    config: { ...config, jobConcurrency: 0 },
  });
  const cancelled = await idle.jobs.create(undefined, request('c', { webhook }));
  await idle.jobs.cancel(undefined, cancelled.id);
  const late = await idle.jobs.create(undefined, request('d', { webhook, ttlSecs: 60 }));
  ids.set(cancelled.id, 'cancelled').set(late.id, 'expired');
  await passStart(store);
  for (const id of ids.keys()) await delivered(idle, id);
  const reports = received.splice(0).map(({ body }) => JSON.parse(body));
  assert.deepEqual(new Map(reports.map(({ job_id, status }) => [job_id, status])), ids);
});

test('a webhook that is not taken is repeated, and given up in the end', async () => {
  await using kit = await testJobs(store, () => done(1), { config });
  statuses.push(500, 302, 404);
  const { id } = await kit.jobs.create(undefined, request('e', { webhook }));
  await delivered(kit, id);
  assert.equal(received.splice(0).length, 4);
  statuses.push(...Array.from({ length: WEBHOOK_ATTEMPTS }, () => 503));
  const { id: never } = await kit.jobs.create(undefined, request('f', { webhook }));
  await delivered(kit, never, 'failed');
  assert.equal(received.splice(0).length, WEBHOOK_ATTEMPTS);
  assert.deepEqual(
    kit.lines.map(({ msg }) => msg),
    ['a webhook was not taken'],
  );
});

test('a long result is left out of the report', async () => {
  await using kit = await testJobs(store, () => done('x'.repeat(300_000)), { config });
  const { id } = await kit.jobs.create(undefined, request('g', { webhook }));
  await delivered(kit, id);
  const { status, result } = JSON.parse(received.splice(0)[0]!.body);
  assert.deepEqual([status, result], ['succeeded', undefined]);
});

test('a host that may not be reached is not, also when it was taken by its name', async () => {
  await using kit = await testJobs(store, () => done(1), {
    config: { ...config, webhookAllow: [] },
  });
  const create = (url: string) => kit.jobs.create(undefined, request('h', { webhook: url }));
  await assert.rejects(create(webhook), { code: 'INVALID_ARGUMENT' });
  const url = webhook.replace('http:', 'https:').replace('127.0.0.1', 'localhost');
  const { id } = await create(url);
  await ended(kit.jobs, id);
  await delivered(kit, id, 'failed');
  assert.deepEqual(received, []);
  assert.match(String(kit.lines[0]!.reason), /^webhook must be a host of the internet/);
});

test('without a key there are no webhooks', async () => {
  await using kit = await testJobs(store, () => done(1), {
    config: { ...config, webhookSecret: undefined },
  });
  await assert.rejects(kit.jobs.create(undefined, request('i', { webhook })), {
    code: 'INVALID_ARGUMENT',
    message: /WEBHOOK_SECRET is not set/,
  });
});
