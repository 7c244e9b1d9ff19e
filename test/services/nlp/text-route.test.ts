/** @module What all routes on texts have in common. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from '@hono/zod-openapi';
import type { TextOperation, TextUsage } from '../../../runtime/index.ts';
import { createEdge, type InferRoute } from '../../../services/http/edge.ts';
import type { RequestContext } from '../../../services/http/request-context.ts';
import { roundScore } from '../../../services/http/scores.ts';
import { checkBody } from '../../../services/nlp/body.ts';
import { sentimentRoute } from '../../../services/nlp/sentiment.ts';
import { textRoute } from '../../../services/nlp/text-route.ts';
import { writeEach } from '../../../services/nlp/write-each.ts';
import { openNlp } from './support.ts';

const request = (signal: AbortSignal) =>
  new Request('http://localhost/wait', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{}',
    signal,
  });

test('a client that leaves while its text is encoded stops the encoding, and nothing runs', async () => {
  await using service = await openNlp({ sentiment: 'bert-sentiment' });
  const { runtime } = service;
  const version = runtime.routes.describe({ model: 'sentiment', version: undefined });
  const before = version.stats().submitted;
  const client = new AbortController();
  const waits: TextOperation<undefined, undefined, string> = {
    tasks: ['text-classification'],
    prepare: (_model, _input, signal) =>
      new Promise((_, reject) => {
        signal!.addEventListener('abort', () => reject(signal!.reason));
        client.abort();
      }),
    answer: () => '',
  };
  const route = textRoute(runtime, {
    path: '/wait',
    operations: [waits],
    read: () => ({ input: undefined, write: ({ output }) => ({ body: output }) }),
  });
  const response = await createEdge(runtime, 'nlp')(route)(request(client.signal));
  assert.equal(((await response.json()) as { code: string }).code, 'CANCELLED');
  assert.equal(version.stats().submitted, before);
  assert.equal(runtime.admission.inFlight, 0);
});

test('a response is an object for a text, and a list for texts', async () => {
  const usage: TextUsage = { tokens: 3, truncated: 0 };
  const about = { model_version: '1', inference_time_ms: 0.5, request_id: 'a' };
  const results = [{ label: 'x' }];
  assert.equal(
    await writeEach(results, false, usage, about),
    '{"label":"x","model_version":"1","inference_time_ms":0.5,"request_id":"a","usage":{"tokens":3,"truncated":0}}',
  );
  assert.equal(
    await writeEach(results, true, usage, about),
    '{"results":[{"label":"x"}],"model_version":"1","inference_time_ms":0.5,"request_id":"a","usage":{"tokens":3,"truncated":0}}',
  );
});

test('a long response is what JSON.stringify writes', async () => {
  const usage: TextUsage = { tokens: 3, truncated: 0 };
  const about = { model_version: '1', inference_time_ms: 0.5, request_id: 'a' };
  const numbers = Array.from({ length: 1300 }, (_, i) => i);
  const result = {
    ...{ empty: [], numbers, absent: undefined, 'a "name"': 'é', none: null },
    pairs: numbers.map((i) => [i, i + 1]),
    entities: numbers.map((i) => ({ label: 'A', score: i / 1300 })),
  };
  const round = (each: unknown) =>
    typeof each === 'object' && each !== null && 'score' in each
      ? { ...each, score: roundScore(Number(each.score)) }
      : each;
  const scores = new Map([
    ['2', 0.7],
    ['1', 0.3],
  ]);
  assert.match(
    await writeEach([{ scores }], false, usage, about),
    /^\{"scores":\{"2":0\.7,"1":0\.3\},"model_version"/,
  );
  const written = { ...result, entities: result.entities.map(round) };
  assert.equal(
    await writeEach([result, result], true, usage, about, round),
    JSON.stringify({ results: [written, written], ...about, usage }),
  );
  assert.equal(
    await writeEach([result], false, usage, about, round),
    JSON.stringify({ ...written, ...about, usage }),
  );
});

test('a body may have the member that holds the key of a sticky split', () => {
  const schema = z.strictObject({ text: z.string() });
  const body = { text: 'a', user: 'ada' };
  assert.deepEqual(checkBody(schema, body, new Set(['user', 'text']), body), { text: 'a' });
  assert.throws(() => checkBody(schema, body, new Set(), body), {
    code: 'INVALID_ARGUMENT',
    message: "The body has the unknown key 'user'; its keys are text.",
  });
});

test('scores have six decimals, and other values the digits of a float32', () => {
  const scores = [0.12345678, -0.99999999, 0, 1, -2.34567891, 12345.678901];
  assert.deepEqual(scores.map(roundScore), [0.123457, -1, 0, 1, -2.345679, 12345.68]);
});

test('responses can be compared by their labels', async () => {
  await using service = await openNlp({ sentiment: 'bert-sentiment' });
  const routes: InferRoute<unknown, unknown, unknown>[] = [];
  sentimentRoute({
    runtime: service.runtime,
    infer: (route) => routes.push(route as unknown as InferRoute<unknown, unknown, unknown>),
    managed: () => {},
    unmatched: () => {},
    describe: () => {},
  });
  const { predicted, decode } = routes[0]!;
  const context = { id: '', request: request(new AbortController().signal) } as RequestContext;
  const of = async (json: object, ...labels: readonly string[]) => {
    const predictions = labels.map((prediction) => ({ prediction, confidence: 0.5 }));
    return predicted!({ body: '', predictions }, await decode(json, context));
  };
  assert.deepEqual(await of({ text: 'a' }, 'good'), { prediction: 'good', confidence: 0.5 });
  assert.deepEqual(await of({ texts: ['a'] }, 'good'), { prediction: ['good'], confidence: 0.5 });
  assert.deepEqual(await of({ texts: ['a', 'b'] }, 'good', 'bad'), {
    ...{ prediction: ['good', 'bad'], confidence: 0.5 },
  });
  assert.equal(predicted!({ body: '' }, await decode({ text: 'a' }, context)), undefined);
});
