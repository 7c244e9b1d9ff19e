/** @module The OpenAPI document of the NLP service describes what it really does. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { type NlpService, openNlp } from './support.ts';

interface Operation {
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: unknown }>>;
  };
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, unknown>> }>
  >;
}

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

let service: NlpService;
let paths: Paths;
before(async () => {
  service = await openNlp();
  const document = (await (await service.app.request('/openapi.json')).json()) as { paths: Paths };
  const { valid, errors } = await new Validator().validate(document);
  assert.ok(valid, JSON.stringify(errors));
  paths = document.paths;
});
after(() => service[Symbol.asyncDispose]());

const BODIES: Readonly<Record<string, object>> = {
  '/analyze/sentiment': { text: 'a' },
  '/analyze/ner': { text: 'a' },
  '/analyze/zero-shot': { text: 'a', labels: ['b'] },
  '/embed': { text: 'a' },
  '/': { inputs: 'a' },
  '/rerank': { query: 'a', documents: ['b'] },
  '/tokenize': { text: 'a' },
  '/v1/embeddings': { input: 'a' },
  '/v1/rerank': { query: 'a', documents: ['b'] },
};

test('it has each route with its responses', async () => {
  for (const [path, body] of Object.entries(BODIES)) {
    const operation = paths[path]?.post;
    assert.ok(operation !== undefined, path);
    assert.ok('application/json' in operation.requestBody!.content, path);
    for (const sent of [body, {}, '{', { ...body, model: 'none' }]) {
      const response = await service.post(path, sent);
      await response.arrayBuffer();
      assert.ok(String(response.status) in operation.responses, `${path}: ${response.status}`);
    }
  }
  assert.ok('application/octet-stream' in paths['/embed']!.post!.responses['200']!.content);
  for (const path of ['/v1/models', '/v1/models/{model}']) assert.ok(paths[path]?.get, path);
});

test('it has no infer route that the service lacks', () => {
  const own = Object.keys(paths).filter(
    (path) => !/^\/(?:v2|alive|health|ready|metrics)/.test(path),
  );
  const others = ['/v1/models', '/v1/models/{model}', '/summarize'];
  assert.deepEqual(own.toSorted(), [...Object.keys(BODIES), ...others].toSorted());
});
