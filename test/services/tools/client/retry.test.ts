/** @module Retries, their budget, and hedging, against a server that is a function. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type ClientOptions,
  createClient,
  InferenceError,
} from '../../../../services/tools/client/index.ts';

const answer = () =>
  new Response(JSON.stringify({ model_name: 'm', outputs: [] }), { status: 200 });
const refusal = (status: number, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ error: 'no', code: 'OVERLOADED' }), { status, headers });

/** A client of a server that answers in turn with what is listed, the last one again and again. */
function client(
  turns: readonly (() => Response | Promise<Response>)[],
  options: ClientOptions = {},
) {
  const sent: RequestInit[] = [];
  const waits: number[] = [];
  const made = createClient('http://server', {
    fetch: async (_url, init) => {
      sent.push(init);
      return turns[Math.min(sent.length, turns.length) - 1]!();
    },
    waiting: { random: () => 1, sleep: async (ms) => void waits.push(ms) },
    ...options,
  });
  return { infer: () => made.infer('m', {}), sent, waits };
}

const failing = (code: string) => (error: unknown) =>
  error instanceof InferenceError && error.code === code;

describe('a retry', () => {
  test('follows an overload, and waits longer each time', async () => {
    const { infer, sent, waits } = client([() => refusal(503), () => refusal(503), answer]);
    await infer();
    assert.equal(sent.length, 3);
    assert.deepEqual(waits, [50, 100]);
  });

  test('waits as long as the server says', async () => {
    const { infer, waits } = client([() => refusal(503, { 'Retry-After': '2' }), answer]);
    await infer();
    assert.deepEqual(waits, [2000]);
  });

  test('follows a broken connection', async () => {
    const broken = () => Promise.reject(new TypeError('fetch failed'));
    const { infer, sent } = client([broken, answer]);
    await infer();
    assert.equal(sent.length, 2);
  });

  test('ends after three attempts, or as many as are allowed', async () => {
    const three = client([() => refusal(503)]);
    await assert.rejects(three.infer(), failing('OVERLOADED'));
    assert.equal(three.sent.length, 3);
    const one = client([() => refusal(503)], { retries: false });
    await assert.rejects(one.infer(), failing('OVERLOADED'));
    assert.equal(one.sent.length, 1);
  });

  test('does not follow a mistake of the caller', async () => {
    const wrong = () =>
      new Response('{"error":"x is missing","code":"INVALID_ARGUMENT"}', { status: 400 });
    const { infer, sent } = client([wrong]);
    await assert.rejects(infer(), failing('INVALID_ARGUMENT'));
    assert.equal(sent.length, 1);
  });

  test('spares a server that refuses everything', async () => {
    const { infer, sent } = client([() => refusal(503)]);
    for (let i = 0; i < 50; i += 1) await assert.rejects(infer(), failing('OVERLOADED'));
    // 50 first attempts, and retries only until half of the ten tokens were gone.
    assert.ok(sent.length <= 55, `${sent.length} requests`);
  });

  test('carries what is left of the time', async () => {
    const { infer, sent } = client([() => refusal(503), answer]);
    await infer();
    const left = sent.map(({ headers }) =>
      Number((headers as Record<string, string>)['X-Request-Timeout-Ms']),
    );
    assert.ok(left[0]! <= 60_000 && left[1]! <= left[0]!, `${left}`);
  });
});

describe('hedging', () => {
  test('takes the answer that comes first, and gives the other up', async () => {
    let abandoned = false;
    const made = createClient('http://server', {
      hedgeAfterMs: 5,
      waiting: { random: () => 1, sleep: async () => {} },
      fetch: (_url, { signal }) => {
        calls += 1;
        if (calls === 2) return Promise.resolve(answer());
        return new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => {
            abandoned = true;
            reject(signal.reason);
          });
        });
      },
    });
    let calls = 0;
    assert.equal((await made.infer('m', {})).model, 'm');
    assert.equal(calls, 2);
    assert.ok(abandoned);
  });

  test('is off unless asked for', async () => {
    const { infer, sent } = client([answer]);
    await infer();
    assert.equal(sent.length, 1);
  });
});

describe('other servers', () => {
  test('errors without a code are told by their status', async () => {
    const { infer } = client([() => new Response('{"error":"unknown model"}', { status: 404 })]);
    await assert.rejects(infer(), failing('MODEL_NOT_FOUND'));
  });
  test('what is no answer of the protocol is an error', async () => {
    for (const text of ['', '<html>', '{}', '{"outputs":[{"datatype":"X","shape":[1]}]}']) {
      await assert.rejects(client([() => new Response(text)]).infer(), failing('BAD_RESPONSE'));
    }
  });
});
