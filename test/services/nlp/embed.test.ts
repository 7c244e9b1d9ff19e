/** @module Vectors of texts in each form: ours, that of text-embeddings-inference, and that of OpenAI. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type NlpService, openNlp } from './support.ts';

interface Embedded {
  readonly embeddings: readonly (readonly number[])[];
  readonly dimensions: number;
  readonly usage: { readonly tokens: number; readonly truncated: number };
}

interface OpenAiEmbedded {
  readonly object: string;
  readonly data: readonly {
    readonly object: string;
    readonly index: number;
    readonly embedding: readonly number[] | string;
  }[];
  readonly model: string;
  readonly usage: object;
}

const TEXTS = ['The weather is fine.', 'Ada met Grace.', ''];

let service: NlpService;
before(async () => {
  service = await openNlp({ embedder: 'bert-embed' });
});
after(() => service[Symbol.asyncDispose]());

const embed = (body: object) => service.ask<Embedded>('/embed', body);
const length = (vector: readonly number[]) => Math.hypot(...vector);

/** Checks that numbers are equal but for the digits in which the rows of a batch differ. */
function assertNear(a: ArrayLike<number>, b: ArrayLike<number>): void {
  assert.equal(a.length, b.length);
  for (let i = 0; i < a.length; i += 1) assert.ok(Math.abs(a[i]! - b[i]!) < 1e-5, `[${i}]`);
}

describe('POST /embed', () => {
  test('has a list of vectors, also for one text', async () => {
    const { embeddings, dimensions, usage, ...about } = await embed({ texts: TEXTS });
    assert.equal(dimensions, 24);
    assert.deepEqual(
      embeddings.map((vector) => vector.length),
      [24, 24, 24],
    );
    assert.deepEqual(Object.keys(about), ['model_version', 'inference_time_ms', 'request_id']);
    assert.equal(usage.truncated, 0);
    const alone = await embed({ text: TEXTS[0] });
    assert.equal(alone.embeddings.length, 1);
    assertNear(alone.embeddings[0]!, embeddings[0]!);
  });

  test('writes floats with the fewest digits', async () => {
    const { embeddings } = await embed({ text: 'a' });
    assertEqualFloats(embeddings[0]!);
  });

  test('takes normalize, pooling, dimensions and prompts', async () => {
    const [text] = TEXTS;
    const [plain] = (await embed({ text })).embeddings;
    const [unit] = (await embed({ text, normalize: true })).embeddings;
    assert.ok(Math.abs(length(plain!) - 1) > 1e-3, 'this model does not normalize');
    assert.ok(Math.abs(length(unit!) - 1) < 1e-6);
    const [cut] = (await embed({ text, normalize: true, dimensions: 8 })).embeddings;
    assert.equal(cut!.length, 8);
    assert.ok(Math.abs(length(cut!) - 1) < 1e-6);
    assertNear(
      cut!.map((value) => value / cut![0]!),
      unit!.slice(0, 8).map((value) => value / unit![0]!),
    );
    for (const pooling of ['mean', 'max', 'last', 'weightedmean']) {
      const [other] = (await embed({ text, pooling })).embeddings;
      assert.ok(
        other!.some((value, i) => Math.abs(value - plain![i]!) > 1e-4),
        pooling,
      );
    }
    assertNear((await embed({ text, pooling: 'cls' })).embeddings[0]!, plain!);
    const [prompted] = (await embed({ text, prompt_name: 'query' })).embeddings;
    const [written] = (await embed({ text: `Find sentences about: ${text}` })).embeddings;
    assertNear(prompted!, written!);
  });

  test('cuts a long text if it is asked to', async () => {
    const text = 'a rather long sentence about the weather. '.repeat(40);
    const { usage } = await embed({ text, truncate: true });
    assert.deepEqual(usage, { tokens: 64, truncated: 1 });
    assert.equal((await embed({ text })).usage.truncated, 0);
  });

  test('has the bytes of the floats if the client prefers them', async () => {
    const { embeddings } = await embed({ texts: TEXTS });
    const octets = 'application/octet-stream';
    for (const accept of [octets, `${octets}, */*`, `application/json;q=0.5, ${octets}`]) {
      const response = await service.post('/embed', { texts: TEXTS }, { Accept: accept });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('content-type'), octets);
      assert.equal(response.headers.get('x-shape'), '3,24');
      const floats = new Float32Array(await response.arrayBuffer());
      assertNear(floats, embeddings.flat());
    }
    for (const accept of ['*/*', 'application/json', `${octets};q=0.5, application/json`]) {
      const response = await service.post('/embed', { texts: TEXTS }, { Accept: accept });
      assert.equal(response.headers.get('content-type'), 'application/json', accept);
      await response.arrayBuffer();
    }
  });

  test('takes 1,000 texts, whose vectors are written on another thread', async () => {
    const texts = Array.from({ length: 1000 }, (_, i) => `Text number ${i}`);
    const { embeddings } = await embed({ texts });
    assert.equal(embeddings.length, 1000);
    for (const i of [0, 499, 999]) {
      const [alone] = (await embed({ text: texts[i]! })).embeddings;
      assertNear(embeddings[i]!, alone!);
    }
  });
});

/** Checks that each number is what the shortest text of a float32 reads as. */
function assertEqualFloats(numbers: readonly number[]): void {
  for (const number of numbers) assert.ok(String(number).length <= 16, String(number));
  assert.deepEqual(
    Array.from(Float32Array.from(numbers), (value) => Math.fround(value)),
    numbers.map((value) => Math.fround(value)),
  );
}

describe('the form of text-embeddings-inference', () => {
  for (const path of ['/embed', '/']) {
    test(`${path} has a list of vectors for one text and for several`, async () => {
      const { embeddings } = await embed({ texts: TEXTS });
      const several = await service.ask<number[][]>(path, { inputs: TEXTS });
      assert.equal(several.length, 3);
      for (const [i, vector] of several.entries()) assertNear(vector, embeddings[i]!);
      const one = await service.ask<number[][]>(path, { inputs: TEXTS[0] });
      assert.equal(one.length, 1);
      assertNear(one[0]!, embeddings[0]!);
    });

    test(`${path} takes the options of its clients`, async () => {
      const options = { normalize: true, prompt_name: 'query', dimensions: 8 };
      const { embeddings } = await embed({ texts: TEXTS, ...options });
      const body = { inputs: TEXTS, ...options, truncate: true, truncation_direction: 'Right' };
      const vectors = await service.ask<number[][]>(path, body);
      for (const [i, vector] of vectors.entries()) assertNear(vector, embeddings[i]!);
      const nothing = { truncate: null, normalize: null, prompt_name: null, dimensions: null };
      const plain = await service.ask<number[][]>(path, { inputs: TEXTS[0], ...nothing });
      assertNear(plain[0]!, (await embed({ text: TEXTS[0]! })).embeddings[0]!);
    });
  }
});

describe('POST /v1/embeddings', () => {
  const ask = (body: object) => service.ask<OpenAiEmbedded>('/v1/embeddings', body);

  test('has the vectors with their places', async () => {
    const { embeddings, usage } = await embed({ texts: TEXTS });
    const { data, ...rest } = await ask({ model: 'embedder', input: TEXTS });
    const { tokens } = usage;
    assert.deepEqual(rest, {
      object: 'list',
      model: 'embedder',
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    });
    for (const [i, { object, index, embedding }] of data.entries()) {
      assert.equal(object, 'embedding');
      assert.equal(index, i);
      assertNear(embedding as number[], embeddings[i]!);
    }
  });

  test('has base64 if it is asked for', async () => {
    const { embeddings } = await embed({ texts: TEXTS, dimensions: 8 });
    const { data } = await ask({ input: TEXTS, dimensions: 8, encoding_format: 'base64' });
    for (const [i, { embedding }] of data.entries()) {
      const bytes = Uint8Array.from(Buffer.from(embedding as string, 'base64'));
      assertNear(new Float32Array(bytes.buffer), embeddings[i]!);
    }
  });

  test('takes a single text, and members without a value', async () => {
    const { data } = await ask({ input: 'a', user: 'me', dimensions: null, encoding_format: null });
    assert.equal(data.length, 1);
  });
});
