/** @module What all routes on texts have in common. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TextOperation, TextUsage } from '../../../runtime/index.ts';
import { createEdge } from '../../../services/http/edge.ts';
import { textRoute, writeEach } from '../../../services/nlp/text-route.ts';
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

test('a response is an object for a text, and a list for texts', () => {
  const usage: TextUsage = { tokens: 3, truncated: 0 };
  const about = { model_version: '1', inference_time_ms: 0.5, request_id: 'a' };
  const results = [{ label: 'x' }];
  assert.equal(
    writeEach(results, false, usage, about),
    '{"label":"x","model_version":"1","inference_time_ms":0.5,"request_id":"a","usage":{"tokens":3,"truncated":0}}',
  );
  assert.equal(
    writeEach(results, true, usage, about),
    '{"results":[{"label":"x"}],"model_version":"1","inference_time_ms":0.5,"request_id":"a","usage":{"tokens":3,"truncated":0}}',
  );
});
