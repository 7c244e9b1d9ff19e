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

interface Components {
  readonly schemas: Readonly<Record<string, object>>;
}

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

let service: NlpService;
let paths: Paths;
let components: Components;
before(async () => {
  service = await openNlp();
  const document = (await (await service.app.request('/openapi.json')).json()) as {
    paths: Paths;
    components: Components;
  };
  const { valid, errors } = await new Validator().validate(document);
  assert.ok(valid, JSON.stringify(errors));
  ({ paths, components } = document);
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
  '/v2/rerank': { query: 'a', documents: ['b'] },
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

test('it describes how text is generated', () => {
  const schemas = (name: string) => JSON.stringify(components.schemas[name]);
  for (const [route, type, response] of [
    ['generate', 'application/json', 'GeneratedText'],
    ['generate_stream', 'text/event-stream', 'GeneratedTextEvent'],
  ] as const) {
    const { requestBody, responses } = paths[`/v2/models/{model}/${route}`]!.post!;
    const request = JSON.stringify(requestBody!.content['application/json']!.schema);
    assert.match(request, /#\/components\/schemas\/GenerateTextRequest"/);
    const answer = JSON.stringify(responses['200']!.content[type]);
    assert.ok(answer.includes(`#/components/schemas/${response}"`), answer);
    for (const name of ['text_output', 'finish_reason', 'num_output_tokens']) {
      assert.ok(schemas(response).includes(`"${name}"`), name);
    }
  }
  for (const name of ['text_input', 'max_tokens', 'temperature', 'stop', 'parameters']) {
    assert.ok(schemas('GenerateTextRequest').includes(`"${name}"`), name);
  }
});

test('it has no infer route that the service lacks', () => {
  const own = Object.keys(paths).filter(
    (path) => !/^\/(?:v2(?!\/rerank)|alive|health|ready|metrics)/.test(path),
  );
  const others = ['/v1/models', '/v1/models/{model}', '/summarize'];
  assert.deepEqual(own.toSorted(), [...Object.keys(BODIES), ...others].toSorted());
});
