/** @module Which model answers, what is cached, and what the service says about its models. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MODELS, type NlpService, openNlp } from './support.ts';

const BODY = { text: 'The weather is fine today.' };
const TWO = { one: 'bert-sentiment', other: 'distilbert-sentiment' };

const codeOf = async (response: Response) => {
  const { code, error } = (await response.json()) as { code: string; error: string };
  return [response.status, code, error] as const;
};

test('several models of a task and no default: the error names them', async () => {
  await using service = await openNlp({ ...MODELS, ...TWO });
  const [status, code, error] = await codeOf(await service.post('/analyze/sentiment', BODY));
  assert.deepEqual([status, code], [404, 'MODEL_NOT_FOUND']);
  for (const name of ['sentiment', 'one', 'other']) assert.ok(error.includes(`'${name}'`), error);
  assert.ok(!error.includes("'ner'"), error);
  const { label } = await service.ask<{ label: string }>('/analyze/sentiment', {
    ...BODY,
    model: 'other',
  });
  assert.ok(['POSITIVE', 'NEGATIVE'].includes(label));
});

test('no model of a task: the error says so', async () => {
  await using service = await openNlp({ ner: 'bert-ner' });
  const [status, code, error] = await codeOf(await service.post('/embed', BODY));
  assert.deepEqual([status, code], [404, 'MODEL_NOT_FOUND']);
  assert.match(error, /feature-extraction/);
});

test('model.json makes a default, which requests that name no model get', async () => {
  const other = { from: 'distilbert-sentiment', files: { 'model.json': { default: true } } };
  await using service = await openNlp({ one: 'bert-sentiment', other });
  const { label } = await service.ask<{ label: string }>('/analyze/sentiment', BODY);
  assert.ok(['POSITIVE', 'NEGATIVE'].includes(label));
});

test('a model of our own layout is served by its task in model.json', async () => {
  await using service = await openNlp({
    mine: {
      from: 'distilbert-one-label',
      files: { 'model.json': { task: 'text-classification' } },
    },
  });
  const body = { ...BODY, model: 'mine', model_version: '1' };
  const { score } = await service.ask<{ score: number }>('/analyze/sentiment', body);
  assert.ok(score > 0 && score < 1);
});

const stateOf = async (service: NlpService, path: string, body: object) => {
  const response = await service.post(path, body);
  assert.equal(response.status, 200, await response.text());
  return response.headers.get('x-cache');
};

test('the second request of the same meaning is answered from the cache', async () => {
  const cached = (from: string) => ({
    from,
    files: { 'model.json': { cache: { ttl_seconds: 60 } } },
  });
  await using service = await openNlp({
    ...{ sentiment: cached('bert-sentiment'), ner: cached('bert-ner') },
    ...{ embedder: cached('bert-embed'), reranker: cached('xlmr-rerank') },
  });
  const requests: [path: string, body: object, same: object][] = [
    ['/analyze/sentiment', BODY, { texts: [BODY.text], top_k: 1 }],
    ['/analyze/ner', BODY, { ...BODY, offset_unit: 'utf8' }],
    ['/embed', BODY, { ...BODY, dimensions: 4 }],
    ['/rerank', { query: 'a', documents: ['b', 'c'] }, { query: 'a', texts: ['b', 'c'] }],
  ];
  for (const [path, body, same] of requests) {
    assert.equal(await stateOf(service, path, body), 'miss', path);
    assert.equal(await stateOf(service, path, body), 'hit', path);
    assert.equal(await stateOf(service, path, same), 'hit', `${path}, the same texts`);
  }
  assert.equal(await stateOf(service, '/', { inputs: BODY.text }), 'hit');
  assert.equal(await stateOf(service, '/v1/embeddings', { input: BODY.text }), 'hit');
  assert.equal(await stateOf(service, '/embed', { text: 'else' }), 'miss');
});

test('a model is not cached unless it is asked for', async () => {
  await using service = await openNlp({ sentiment: 'bert-sentiment' });
  assert.equal(await stateOf(service, '/analyze/sentiment', BODY), null);
});

test('GET /v1/models lists the models that take text', async () => {
  await using service = await openNlp({ ...MODELS, iris: 'models/iris' });
  const response = await service.app.request('/v1/models');
  const { object, data } = (await response.json()) as {
    object: string;
    data: Record<string, unknown>[];
  };
  assert.equal(object, 'list');
  assert.deepEqual(data.map(({ id }) => id).toSorted(), Object.keys(MODELS).toSorted());
  for (const model of data) {
    assert.equal(model.object, 'model');
    assert.ok(Number.isInteger(model.created));
  }
  const one = await service.app.request('/v1/models/embedder');
  assert.deepEqual(
    await one.json(),
    data.find(({ id }) => id === 'embedder'),
  );
  const none = await service.app.request('/v1/models/iris');
  assert.equal(none.status, 404);
  const { error } = (await none.json()) as { error: { message: string; code: string } };
  assert.equal(error.code, 'MODEL_NOT_FOUND');
  assert.match(error.message, /'iris'.*'embedder'/);
  assert.ok(none.headers.get('x-request-id'));
});

test('the configuration of a model names the file that it runs', async () => {
  await using service = await openNlp({ writer: 'bart' });
  const response = await service.app.request('/v2/models/writer/config');
  const { default_model_filename } = (await response.json()) as Record<string, unknown>;
  assert.equal(default_model_filename, 'decoder_model_merged.onnx');
});

test('a file that Git LFS has not fetched: the reason says so', async () => {
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n';
  for (const file of ['onnx/model.onnx', 'tokenizer.json']) {
    await using service = await openNlp({ ner: { from: 'bert-ner', files: { [file]: pointer } } });
    const [status, code, error] = await codeOf(await service.post('/analyze/ner', BODY));
    assert.deepEqual([status, code], [503, 'MODEL_NOT_READY']);
    assert.match(error, /(model\.onnx|tokenizer\.json) is a pointer of Git LFS.* git lfs pull/);
  }
});
