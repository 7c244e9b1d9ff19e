/** @module The OpenAPI document of the vision service describes what it really does. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import {
  colorClassifier,
  colorEncoder,
  dataUrl,
  formOf,
  openVision,
  plainImage,
  type VisionService,
} from './support.ts';

interface Content {
  readonly schema: {
    readonly type?: string;
    readonly properties?: Readonly<Record<string, { type?: string; items?: { format?: string } }>>;
  };
}

interface Operation {
  readonly parameters: readonly { readonly in: string; readonly name: string }[];
  readonly requestBody: { readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, unknown>> }>
  >;
}

let service: VisionService;
let paths: Readonly<Record<string, { readonly post: Operation }>>;
before(async () => {
  service = await openVision({ colors: colorClassifier(), encoder: colorEncoder() });
  const response = await service.app.request('/openapi.json');
  const document = (await response.json()) as { paths: typeof paths };
  const { valid, errors } = await new Validator().validate(document);
  assert.ok(valid, JSON.stringify(errors));
  paths = document.paths;
});
after(() => service[Symbol.asyncDispose]());

/** The options of each route, beside those that all have. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  '/classify': ['top_k', 'threshold'],
  '/detect': ['threshold', 'iou', 'max_detections', 'agnostic', 'nms', 'classes'],
  '/segment': ['format', 'threshold', 'overlay', 'iou', 'max_detections', 'agnostic', 'nms'],
  '/embed-image': ['normalize'],
};
const COMMON = ['model', 'model_version', 'background', 'tolerant'];

for (const [path, options] of Object.entries(OPTIONS)) {
  test(`${path} is described with its forms, options and responses`, async () => {
    const { parameters, requestBody, responses } = paths[path]!.post;
    const { content } = requestBody;
    assert.deepEqual(Object.keys(content), ['multipart/form-data', 'application/json', 'image/*']);
    const form = content['multipart/form-data']!.schema.properties!;
    assert.equal(form.image!.items!.format, 'binary');
    const all = [...options, ...COMMON].toSorted();
    assert.deepEqual(Object.keys(form).toSorted(), [...all, 'image'].toSorted());
    const json = Object.keys(content['application/json']!.schema.properties!);
    assert.deepEqual(json.toSorted(), [...all, 'image', 'images'].toSorted());
    const query = parameters.filter((each) => each.in === 'query').map(({ name }) => name);
    assert.deepEqual(query.toSorted(), all);
    const red = await plainImage('#ff0000');
    for (const body of [
      formOf([red]),
      formOf([red], { model: 'none' }),
      formOf([red], { nothing: '1' }),
      formOf([]),
      { image: dataUrl(red) },
      { image: 'no base64!' },
      '{',
      formOf([red.subarray(0, 40)]),
    ]) {
      const isText = typeof body === 'string';
      const headers = isText ? { 'Content-Type': 'application/json' } : undefined;
      const response = await service.post(path, body, headers);
      const text = await response.text();
      assert.ok(String(response.status) in responses, `${path}: ${response.status} ${text}`);
    }
  });
}

test('other forms of responses are described', () => {
  const typesOf = (path: string) => Object.keys(paths[path]!.post.responses['200']!.content);
  assert.deepEqual(typesOf('/segment'), ['application/json', 'image/png']);
  assert.deepEqual(typesOf('/embed-image'), ['application/json', 'application/octet-stream']);
});
