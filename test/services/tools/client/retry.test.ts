/** @module Tests retries, their budget and hedging with a function in place of `fetch`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type ClientOptions,
  createClient,
  InferenceError,
} from '../../../../services/tools/client/index.ts';

const success = () =>
  new Response(JSON.stringify({ model_name: 'm', outputs: [] }), { status: 200 });
const refusal = (status: number, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ error: 'no', code: 'OVERLOADED' }), { status, headers });

/** A client whose attempts get the listed responses in order; the last one repeats. */
function client(
  responses: readonly (() => Response | Promise<Response>)[],
  options: ClientOptions = {},
) {
  const sent: RequestInit[] = [];
  const waits: number[] = [];
  const created = createClient('http://server', {
    fetch: async (_url, init) => {
      sent.push(init);
      return responses[Math.min(sent.length, responses.length) - 1]!();
    },
    waiting: { random: () => 1, sleep: async (ms) => void waits.push(ms) },
    ...options,
  });
  return { infer: () => created.infer('m', {}), sent, waits };
}

const failing = (code: string) => (error: unknown) =>
  error instanceof InferenceError && error.code === code;

describe('a retry', () => {
  test('follows OVERLOADED, with a delay that doubles each time', async () => {
    const { infer, sent, waits } = client([() => refusal(503), () => refusal(503), success]);
    await infer();
    assert.equal(sent.length, 3);
    assert.deepEqual(waits, [50, 100]);
  });

  test('waits for the Retry-After of the response', async () => {
    const { infer, waits } = client([() => refusal(503, { 'Retry-After': '2' }), success]);
    await infer();
    assert.deepEqual(waits, [2000]);
  });

  test('follows a broken connection', async () => {
    const broken = () => Promise.reject(new TypeError('fetch failed'));
    const { infer, sent } = client([broken, success]);
    await infer();
    assert.equal(sent.length, 2);
    await assert.rejects(client([broken]).infer(), {
      code: 'UNREACHABLE',
      message: 'The server http://server did not respond.',
    });
  });

  test('ends after three attempts, or after one if retries are off', async () => {
    const three = client([() => refusal(503)]);
    await assert.rejects(three.infer(), failing('OVERLOADED'));
    assert.equal(three.sent.length, 3);
    const one = client([() => refusal(503)], { retries: false });
    await assert.rejects(one.infer(), failing('OVERLOADED'));
    assert.equal(one.sent.length, 1);
  });

  test('does not follow an INVALID_ARGUMENT', async () => {
    const wrong = () =>
      new Response('{"error":"x is missing","code":"INVALID_ARGUMENT"}', { status: 400 });
    const { infer, sent } = client([wrong]);
    await assert.rejects(infer(), failing('INVALID_ARGUMENT'));
    assert.equal(sent.length, 1);
  });

  test('stops when the retry budget is used up', async () => {
    const { infer, sent } = client([() => refusal(503)]);
    for (let i = 0; i < 50; i += 1) await assert.rejects(infer(), failing('OVERLOADED'));
    // 50 first attempts, and retries only until half of the ten tokens were gone.
    assert.ok(sent.length <= 55, `${sent.length} requests`);
  });

  test('sends the time that remains as X-Request-Timeout-Ms', async () => {
    const { infer, sent } = client([() => refusal(503), success]);
    await infer();
    const left = sent.map(({ headers }) =>
      Number((headers as Record<string, string>)['X-Request-Timeout-Ms']),
    );
    assert.ok(left[0]! <= 60_000 && left[1]! <= left[0]!, `${left}`);
  });
});

describe('hedging', () => {
  test('returns the first response and aborts the other request', async () => {
    let abandoned = false;
    const made = createClient('http://server', {
      hedgeAfterMs: 5,
      waiting: { random: () => 1, sleep: async () => {} },
      fetch: (_url, { signal }) => {
        calls += 1;
        if (calls === 2) return Promise.resolve(success());
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

  test('is off by default', async () => {
    const { infer, sent } = client([success]);
    await infer();
    assert.equal(sent.length, 1);
  });
});

describe('responses of other servers', () => {
  test('an error without a code gets the code that matches its status', async () => {
    const { infer } = client([() => new Response('{"error":"unknown model"}', { status: 404 })]);
    await assert.rejects(infer(), failing('MODEL_NOT_FOUND'));
  });
  test('a response that does not follow the protocol is a BAD_RESPONSE', async () => {
    for (const text of ['', '<html>', '{}', '{"outputs":[{"datatype":"X","shape":[1]}]}']) {
      await assert.rejects(client([() => new Response(text)]).infer(), failing('BAD_RESPONSE'));
    }
  });
});
