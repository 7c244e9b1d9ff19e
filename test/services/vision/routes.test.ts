/** @module The routes of the vision service: bodies, options, and the forms of their responses. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import {
  colorClassifier,
  colorEncoder,
  dataUrl,
  fixtureFiles,
  formOf,
  openVision,
  plainImage,
  type VisionService,
} from './support.ts';

interface Classified {
  readonly predictions: readonly { readonly class: string; readonly confidence: number }[];
}

interface Listed {
  readonly results: readonly Classified[];
}

let service: VisionService;
let red: Buffer;
let blue: Buffer;
before(async () => {
  service = await openVision({ colors: colorClassifier(), encoder: colorEncoder() });
  red = await plainImage('#ff0000');
  blue = await plainImage('#0000ff', 'webp');
});
after(() => service[Symbol.asyncDispose]());

const best = ({ predictions }: Classified) => predictions[0]!.class;
const postFile = (path: string, image: Uint8Array, type = 'image/png') =>
  service.post(path, new Blob([new Uint8Array(image)]), { 'Content-Type': type });

describe('the body of POST /classify', () => {
  test('is a form, a file, or JSON, with the same response', async () => {
    const softmax = (x: number) => Math.exp(x) / (Math.E + 2);
    const expected = [
      { class: 'red', confidence: Number(softmax(1).toFixed(6)) },
      { class: 'green', confidence: Number(softmax(0).toFixed(6)) },
      { class: 'blue', confidence: Number(softmax(0).toFixed(6)) },
    ];
    const bodies = [formOf([red]), { image: dataUrl(red) }];
    for (const body of bodies) {
      const { predictions, ...about } = await service.ask<Classified>('/classify', body);
      assert.deepEqual(predictions, expected);
      assert.deepEqual(Object.keys(about), ['model_version', 'inference_time_ms', 'request_id']);
    }
    for (const type of ['image/png', 'image/jpeg', 'application/octet-stream']) {
      const response = await postFile('/classify', red, type);
      assert.equal(response.status, 200);
      assert.deepEqual(((await response.json()) as Classified).predictions, expected);
      assert.match(response.headers.get('server-timing')!, /^queue;dur=.*compute;dur=/);
    }
  });

  test('has several images in a form or a list, and the results are in their order', async () => {
    const form = await service.ask<Listed>('/classify', formOf([red, blue, red]));
    assert.deepEqual(form.results.map(best), ['red', 'blue', 'red']);
    const images = [dataUrl(blue, 'image/webp'), dataUrl(red)];
    const listed = await service.ask<Listed>('/classify', { images });
    assert.deepEqual(listed.results.map(best), ['blue', 'red']);
    const one = await service.ask<Listed>('/classify', { images: [dataUrl(red)] });
    assert.deepEqual(one.results.map(best), ['red']);
  });

  test('may be requests side by side, which share runs', async () => {
    const many = Array.from({ length: 24 }, (_, i) => formOf([i % 3 === 0 ? blue : red]));
    const answers = await Promise.all(
      many.map((form) => service.ask<Classified>('/classify', form)),
    );
    for (const [i, answer] of answers.entries()) {
      assert.equal(best(answer), i % 3 === 0 ? 'blue' : 'red');
    }
    const { signature } = service.runtime.routes.resolve({
      model: 'colors',
      version: undefined,
    }) as never as {
      signature: { batching: { enabled: boolean } };
    };
    assert.equal(signature.batching.enabled, true);
  });
});

describe('the options of POST /classify', () => {
  test('are fields of a form, members of JSON, or in the query, and the body goes before the query', async () => {
    const one = [{ class: 'red', confidence: 0.576117 }];
    const asked = [
      service.post('/classify', formOf([red], { top_k: '1' })),
      service.post('/classify', { image: dataUrl(red), top_k: 1 }),
      postFile('/classify?top_k=1', red),
      service.post('/classify?top_k=2', formOf([red], { top_k: '1' })),
      service.post('/classify?threshold=0.3', formOf([red])),
    ];
    for (const response of await Promise.all(asked)) {
      assert.deepEqual(((await response.json()) as Classified).predictions, one);
    }
  });

  test('come from model.json if the request sets none', async () => {
    const files = { 'model.json': JSON.stringify({ top_k: 1, background: '#0000ff' }) };
    await using own = await openVision({ colors: colorClassifier(files) });
    const glass = await sharp({
      create: { width: 8, height: 8, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0 } },
    })
      .png()
      .toBuffer();
    const { predictions } = await own.ask<Classified>('/classify', formOf([glass]));
    assert.deepEqual(
      predictions.map((each) => each.class),
      ['blue'],
    );
    const white = formOf([glass], { background: '#00ff00', top_k: '2' });
    const green = await own.ask<Classified>('/classify', white);
    assert.equal(green.predictions.length, 2);
    assert.equal(best(green), 'green');
  });

  const wrong: Readonly<Record<string, readonly [Record<string, string | string[]>, RegExp]>> = {
    'a threshold above 1': [{ threshold: '1.5' }, /threshold must be at most 1/],
    'a threshold that is no number': [{ threshold: 'high' }, /threshold must be a number/],
    'a top_k of 0': [{ top_k: '0' }, /top_k must be at least 1/],
    'a top_k of 1001': [{ top_k: '1001' }, /top_k must be at most 1000/],
    'a top_k that is not decimal': [{ top_k: '0x10' }, /top_k must be a number but is "0x10"/],
    'two of top_k': [{ top_k: ['1', '2'] }, /top_k must be a number/],
    'half a top_k': [{ top_k: '1.5' }, /top_k must be a whole number/],
    'an option that does not exist': [{ topk: '1' }, /topk.*top_k/],
    'a colour by name': [{ background: 'white' }, /background .*#ffffff/],
    'no truth value': [{ tolerant: 'perhaps' }, /tolerant must be true or false/],
  };
  for (const [name, [fields, message]] of Object.entries(wrong)) {
    test(`${name} is refused with a sentence`, async () => {
      const response = await service.post('/classify', formOf([red], fields));
      const body = (await response.json()) as { error: string; code: string };
      assert.equal(response.status, 400, body.error);
      assert.equal(body.code, 'INVALID_ARGUMENT');
      assert.match(body.error, message);
    });
  }
});

describe('the options of JSON', () => {
  const wrong: Readonly<Record<string, readonly [object, RegExp]>> = {
    'a number as text': [{ top_k: '2' }, /top_k must be a number but is "2"/],
    'a truth value as a number': [{ tolerant: 1 }, /tolerant must be true or false/],
    'a truth value as text': [{ tolerant: 'true' }, /tolerant must be true or false/],
    'an empty text': [{ model: '' }, /no model ''/],
  };
  for (const [name, [options, message]] of Object.entries(wrong)) {
    test(`are refused with ${name}`, async () => {
      const response = await service.post('/classify', { image: dataUrl(red), ...options });
      assert.ok(response.status === 400 || response.status === 404);
      assert.match(((await response.json()) as { error: string }).error, message);
    });
  }
});

test('options of forms and queries that are empty count as left out', async () => {
  const empty = { model: '', model_version: '', top_k: '', background: '', tolerant: '' };
  const form = await service.ask<Classified>('/classify?top_k=2', formOf([red], empty));
  assert.equal(form.predictions.length, 2);
  const query = await service.ask<Classified>('/classify?model=&background=', formOf([red]));
  assert.equal(best(query), 'red');
});

describe('the model of a request', () => {
  test('may be named, and must be one of the task', async () => {
    const named = await service.ask<Classified>(
      '/classify',
      formOf([red], { model: 'colors', model_version: '1' }),
    );
    assert.equal(best(named), 'red');
    const other = await service.post('/classify', formOf([red], { model: 'encoder' }));
    assert.equal(other.status, 400);
    const { code, error } = (await other.json()) as { code: string; error: string };
    assert.equal(code, 'WRONG_TASK');
    assert.match(error, /image-feature-extraction.*image-classification/);
    const none = await service.post('/classify', formOf([red], { model: 'nothing' }));
    assert.equal(none.status, 404);
    const version = await service.post('/classify', formOf([red], { model_version: '9' }));
    assert.equal(version.status, 404);
  });

  test('is needed: without a model of the task the response is 404 with what to do', async () => {
    const response = await service.post('/detect', formOf([red]));
    assert.equal(response.status, 404);
    assert.match(((await response.json()) as { error: string }).error, /object-detection/);
  });

  test('is also served by /v2, in the form of the graph', async () => {
    const metadata = await service.app.request('/v2/models/colors');
    const { inputs } = (await metadata.json()) as { inputs: object[] };
    assert.deepEqual(inputs, [{ name: 'pixel_values', datatype: 'FP32', shape: [-1, 3, 8, 8] }]);
    const planes = Array.from({ length: 192 }, (_, i) => (i < 64 ? 0.5 : 0.25));
    const response = await service.ask<{ outputs: { data: number[] }[] }>(
      '/v2/models/colors/infer',
      {
        inputs: [{ name: 'pixel_values', datatype: 'FP32', shape: [1, 3, 8, 8], data: planes }],
      },
    );
    assert.deepEqual(response.outputs[0]!.data, [0.5, 0.25, 0.25]);
  });
});

describe('POST /embed-image', () => {
  test('has one list of vectors for all images', async () => {
    const one = await service.ask<{ embeddings: number[][]; dimensions: number }>(
      '/embed-image',
      formOf([red]),
    );
    assert.deepEqual([one.embeddings, one.dimensions], [[[1, 0, 0]], 3]);
    const white = await plainImage('#ffffff');
    const two = await service.ask<{ embeddings: number[][] }>(
      '/embed-image',
      formOf([white, blue]),
    );
    assert.ok(two.embeddings[0]!.every((value) => Math.abs(value - 1 / Math.sqrt(3)) < 1e-6));
    const raw = formOf([white], { normalize: 'false' });
    assert.deepEqual(
      (await service.ask<{ embeddings: number[][] }>('/embed-image', raw)).embeddings,
      [[1, 1, 1]],
    );
  });

  test('has the bytes of the floats if the client prefers them', async () => {
    const headers = { Accept: 'application/octet-stream' };
    const response = await service.post('/embed-image', formOf([red, red]), headers);
    assert.equal(response.headers.get('x-shape'), '2,3');
    const floats = new Float32Array(await response.arrayBuffer());
    assert.deepEqual([...floats], [1, 0, 0, 1, 0, 0]);
  });
});

test('a cached model answers the same image from the cache, also in another format', async () => {
  const files = { 'model.json': JSON.stringify({ cache: { ttl_seconds: 60 } }) };
  await using own = await openVision({ colors: colorClassifier(files) });
  const states: (string | null)[] = [];
  for (const image of [red, red, await plainImage('#ff0000', 'webp'), blue]) {
    const response = await own.post('/classify', formOf([image]));
    await response.arrayBuffer();
    states.push(response.headers.get('x-cache'));
  }
  assert.deepEqual([states[0], states[1], states[3]], ['miss', 'hit', 'miss']);
});

describe('POST /segment', () => {
  let regions: VisionService;
  before(async () => {
    regions = await openVision({ regions: fixtureFiles('segformer') });
  });
  after(() => regions[Symbol.asyncDispose]());

  interface Segmented {
    readonly segments: readonly { readonly class: string; readonly area: number }[];
    readonly overlay?: string;
  }

  test('has every pixel in one segment, and the picture only if it is asked for', async () => {
    const image = await plainImage('#336699', 'png', { width: 60, height: 40 });
    const { segments, overlay } = await regions.ask<Segmented>('/segment', formOf([image]));
    assert.equal(overlay, undefined);
    const area = segments.reduce((sum, each) => sum + each.area, 0);
    assert.equal(area, 60 * 40);
    const both = await regions.ask<Segmented>('/segment', formOf([image], { overlay: 'true' }));
    const { width, height, format } = await sharp(Buffer.from(both.overlay!, 'base64')).metadata();
    assert.deepEqual([width, height, format], [60, 40, 'png']);
  });

  test('is the picture itself if the client prefers it', async () => {
    const image = await plainImage('#336699');
    const headers = { Accept: 'image/png' };
    const response = await regions.post('/segment', formOf([image]), headers);
    assert.equal(response.headers.get('content-type'), 'image/png');
    const { width, height } = await sharp(await response.arrayBuffer()).metadata();
    assert.deepEqual([width, height], [24, 16]);
    const accepted: Readonly<Record<string, string>> = {
      'image/*': 'image/png',
      'image/png;q=0.5, application/json;q=0.1': 'image/png',
      'application/json;q=0.1, image/*;q=0.5': 'image/png',
      'image/*, image/png;q=0.1, application/json;q=0.5': 'application/json',
      'image/*, application/json': 'application/json',
      'image/webp': 'application/json',
      '*/*': 'application/json',
    };
    for (const [accept, type] of Object.entries(accepted)) {
      const { headers } = await regions.post('/segment', formOf([image]), { Accept: accept });
      assert.equal(headers.get('content-type'), type, accept);
    }
    const two = await regions.post('/segment', formOf([image, image]), headers);
    assert.equal(two.status, 400);
    assert.match(((await two.json()) as { error: string }).error, /one picture.*2 images/);
  });

  test('has masks as run lengths and as outlines', async () => {
    const image = await plainImage('#336699', 'png', { width: 30, height: 20 });
    const { results } = await regions.ask<{
      results: { segments: { mask: { size: number[]; counts: number[] } }[] }[];
    }>('/segment', formOf([image, image], { format: 'rle' }));
    assert.equal(results.length, 2);
    for (const { mask } of results[1]!.segments) {
      assert.deepEqual(mask.size, [20, 30]);
      assert.equal(
        mask.counts.reduce((sum, count) => sum + count, 0),
        600,
      );
    }
    const outlined = await regions.ask<{ segments: { mask: number[][] }[] }>(
      '/segment',
      formOf([image], { format: 'polygon' }),
    );
    for (const { mask } of outlined.segments) {
      for (const outline of mask) assert.ok(outline.length >= 8 && outline.length % 2 === 0);
    }
  });
});
