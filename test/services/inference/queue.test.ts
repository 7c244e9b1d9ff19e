/** @module Tests queue policies of `config.pbtxt` over HTTP, on a model whose input sets the duration of a run. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { until } from '../../support/until.ts';
import { type Inference, inference, type TestResponse } from './support.ts';

/** Iterations, of one to two microseconds each. */
const LONG = 200_000;
const SHORT = 1000;

/** A server with one instance, so that all requests wait for a long run. */
const serve = (policies: string) =>
  inference({
    's/1/model.onnx': '=slow-loop',
    's/config.pbtxt': `max_batch_size: 1 instance_group { kind: KIND_CPU }
      dynamic_batching { ${policies} }`,
  });

function infer(
  server: Inference,
  turns: number,
  parameters: object = {},
  headers: Record<string, string> = {},
): Promise<TestResponse> {
  const inputs = [{ name: 'iterations', datatype: 'INT64', shape: [1, 1], data: [turns] }];
  return server.post('/v2/models/s/infer', { inputs, parameters }, headers);
}

const counts = (server: Inference) =>
  server.runtime.routes.describe({ model: 's', version: undefined }).stats();

/** Resolves when one request runs and `queued` requests wait. */
const waiting = (server: Inference, queued: number) =>
  until(() => {
    const now = counts(server);
    return now.running === 1 && now.queued === queued;
  }, `${queued} requests wait`);

test('requests run by priority level, and within a level in the order of arrival', async () => {
  await using server = await serve('priority_levels: 3 default_priority_level: 2');
  const order: string[] = [];
  // Shorter than the second after which a waiting request rises by a level, even on a busy machine.
  const pending = [infer(server, LONG)];
  await waiting(server, 0);
  for (const [name, priority] of [
    ['third', 3],
    ['usual', undefined],
    ['second', 2],
    ['default', 0],
    ['first', 1],
  ] as const) {
    const response = infer(server, SHORT, priority === undefined ? {} : { priority });
    pending.push(response);
    void response.then(() => order.push(name));
    await waiting(server, pending.length - 1);
  }
  for (const { status, text } of await Promise.all(pending)) assert.equal(status, 200, text);
  assert.deepEqual(order, ['first', 'usual', 'second', 'default', 'third']);
  const { status, json } = await infer(server, SHORT, { priority: 4 });
  assert.equal(status, 400);
  assert.match(json.error, /priority is 4: expected a whole number from 1 \(most urgent\) to 3/);
});

test('a full queue refuses requests with 503 and Retry-After', async () => {
  await using server = await serve('default_queue_policy { max_queue_size: 2 }');
  const pending = [infer(server, LONG)];
  await waiting(server, 0);
  pending.push(infer(server, SHORT), infer(server, SHORT));
  await waiting(server, 2);
  const refused = await infer(server, SHORT);
  assert.equal(refused.status, 503);
  assert.match(refused.json.error, /too many requests waiting/);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  for (const { status } of await Promise.all(pending)) assert.equal(status, 200);
  assert.equal(counts(server).rejected, 1);
});

test('a full priority level refuses requests while other levels accept them', async () => {
  await using server = await serve(`priority_levels: 2 default_priority_level: 2
    default_queue_policy { max_queue_size: 1 }
    priority_queue_policy { key: 1 value { max_queue_size: 2 } }`);
  const pending = [infer(server, LONG)];
  await waiting(server, 0);
  pending.push(infer(server, SHORT), infer(server, SHORT, { priority: 1 }));
  await waiting(server, 2);
  const refused = await infer(server, SHORT);
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  pending.push(infer(server, SHORT, { priority: 1 }));
  await waiting(server, 3);
  assert.equal((await infer(server, SHORT, { priority: 1 })).status, 503);
  for (const { status } of await Promise.all(pending)) assert.equal(status, 200);
  assert.equal((await infer(server, SHORT)).status, 200, 'the queue has room again');
});

/** The response to a request that waits for a long run, and whether the model has run it. */
async function behind(
  policies: string,
  parameters: object = {},
  headers: Record<string, string> = {},
): Promise<{ response: TestResponse; ran: boolean }> {
  await using server = await serve(policies);
  const long = infer(server, LONG);
  await waiting(server, 0);
  const before = counts(server).completed;
  const response = await infer(server, SHORT, parameters, headers);
  await long;
  return { response, ran: counts(server).completed - before === 2 };
}

describe('a request that has waited for too long', () => {
  const policy = (more: string) =>
    `default_queue_policy { default_timeout_microseconds: 50000 ${more} }`;
  const expired: Readonly<Record<string, readonly [string, object?, Record<string, string>?]>> = {
    'by the default': [policy('')],
    'by its own timeout, without a default': ['', { timeout: 50_000 }],
    'by its own timeout, which may be shorter': [
      'default_queue_policy { default_timeout_microseconds: 60000000 allow_timeout_override: true }',
      { timeout: 50_000 },
    ],
    'by the default, which its own timeout may not exceed': [
      policy('allow_timeout_override: true'),
      { timeout: 60_000_000 },
    ],
    'by the policy of its level': [
      `priority_levels: 2 default_priority_level: 2
       priority_queue_policy { key: 1 value { default_timeout_microseconds: 50000 } }`,
      { priority: 1 },
    ],
    'by the client’s deadline, whatever the policy says': [
      'default_queue_policy { default_timeout_microseconds: 60000000 }',
      {},
      { 'X-Request-Timeout-Ms': '50' },
    ],
    'by the client’s deadline, also with DELAY': [
      policy('timeout_action: DELAY'),
      {},
      { 'X-Request-Timeout-Ms': '50' },
    ],
  };
  for (const [name, [policies, parameters, headers]] of Object.entries(expired)) {
    test(`${name} gets 504 and does not run`, async () => {
      const { response, ran } = await behind(policies, parameters, headers);
      assert.equal(response.status, 504, response.text);
      assert.equal(response.json.code, 'DEADLINE_EXCEEDED');
      assert.equal(ran, false);
    });
  }

  const served: Readonly<Record<string, readonly [string, object?]>> = {
    'with timeout_action DELAY': [policy('timeout_action: DELAY')],
    'with DELAY, whatever timeout it has': [
      policy('timeout_action: DELAY allow_timeout_override: true'),
      { timeout: 1000 },
    ],
    'whose own timeout must not override the default': [
      'default_queue_policy { default_timeout_microseconds: 60000000 }',
      { timeout: 1000 },
    ],
    'in a level without a policy': [
      `priority_levels: 2 default_priority_level: 2
       priority_queue_policy { key: 1 value { default_timeout_microseconds: 50000 } }`,
    ],
  };
  for (const [name, [policies, parameters]] of Object.entries(served)) {
    test(`${name} is still served`, async () => {
      const { response, ran } = await behind(policies, parameters);
      assert.equal(response.status, 200, response.text);
      assert.ok(ran);
    });
  }
});
