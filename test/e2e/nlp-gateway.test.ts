/** @module The routes of the NLP service under the gateway, and jobs that ask them. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { textRepository } from '../services/nlp/support.ts';
import { ServiceChild } from '../support/child.ts';
import { stateFolder } from '../support/store.ts';

interface Job {
  readonly job_id: string;
  readonly status: string;
  readonly result: { readonly label: string; readonly usage: object };
}

const JSON_BODY = { 'Content-Type': 'application/json' };

describe('the gateway', () => {
  let repository: ReturnType<typeof textRepository>;
  let state: Awaited<ReturnType<typeof stateFolder>>;
  let child: ServiceChild;
  let url: string;
  before(async () => {
    repository = textRepository({ sentiment: 'bert-sentiment', embedder: 'bert-embed' });
    state = await stateFolder();
    const env = {
      ...{ MODEL_PATH: repository.path, SERVICE: 'gateway', PORT: '0' },
      ...{ STATE_DIR: state.path, CACHE_DIR: `${state.path}/cache` },
    };
    child = new ServiceChild('services/main.ts', env);
    url = `http://127.0.0.1:${await child.port()}`;
  });
  after(async () => {
    await child[Symbol.asyncDispose]();
    repository[Symbol.dispose]();
    state[Symbol.dispose]();
  });

  const post = (path: string, body: string | object, headers: Record<string, string> = JSON_BODY) =>
    fetch(url + path, {
      method: 'POST',
      headers,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  test('has the routes of the NLP service', async () => {
    const body = { text: 'The weather is fine.' };
    const sentiment = (await (await post('/analyze/sentiment', body)).json()) as { label: string };
    assert.ok(['negative', 'neutral', 'positive'].includes(sentiment.label));
    const embedded = await post('/', { inputs: body.text });
    assert.equal(((await embedded.json()) as number[][])[0]!.length, 24);
    const models = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
    assert.deepEqual(
      models.data.map(({ id }) => id),
      ['embedder', 'sentiment'],
    );
    const metadata = await fetch(`${url}/v2/models/sentiment`);
    assert.equal(((await metadata.json()) as { name: string }).name, 'sentiment');
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object };
    for (const path of ['/predict', '/analyze/ner', '/v1/embeddings', '/v2/models/{model}/infer']) {
      assert.ok(path in document.paths, path);
    }
  });

  test('runs jobs that ask for sentiment', async () => {
    const request = { service: 'nlp', path: '/analyze/sentiment', body: { text: 'fine' } };
    const { job_id } = (await (await post('/jobs', request)).json()) as Job;
    const job = (await (await fetch(`${url}/jobs/${job_id}?wait=20s`)).json()) as Job;
    assert.equal(job.status, 'succeeded');
    const direct = (await (await post('/analyze/sentiment', request.body)).json()) as Job['result'];
    assert.equal(job.result.label, direct.label);
    assert.deepEqual(job.result.usage, direct.usage);
  });

  test('runs a batch of texts, of which a bad one fails alone', async () => {
    const lines = ['{"text":"fine"}', '{"text":5}', '{"texts":["a","b"]}'];
    const path = '/jobs/batches?service=nlp&path=/embed';
    const type = { 'Content-Type': 'application/x-ndjson' };
    const { job_id } = (await (await post(path, lines.join('\n'), type)).json()) as Job;
    const results = await (await fetch(`${url}/jobs/${job_id}/results`)).text();
    const parsed = results
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { status: number; body: { embeddings?: unknown[] } });
    assert.deepEqual(
      parsed.map(({ status }) => status),
      [200, 400, 200],
    );
    assert.equal(parsed[2]!.body.embeddings!.length, 2);
  });

  test('refuses jobs for routes that are not infer routes', async () => {
    const request = { service: 'nlp', path: '/v1/models', body: {} };
    const response = await post('/jobs', request);
    assert.equal(response.status, 400);
    const { error } = (await response.json()) as { error: string };
    assert.match(error, /\/analyze\/sentiment.*\/v1\/embeddings/);
  });
});
