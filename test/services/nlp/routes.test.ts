/** @module The routes of the NLP service: their options, and the forms of their responses. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type NlpService, openNlp } from './support.ts';

type Json = Record<string, unknown>;

let service: NlpService;
before(async () => {
  service = await openNlp();
});
after(() => service[Symbol.asyncDispose]());

const TEXTS = ['The weather is fine today.', '', 'Ada met Grace in New York, 👩‍🚀 日本'];

/** Checks what every response says about itself, and returns the rest. */
function withoutAbout(body: Json): Json {
  const { model_version, inference_time_ms, request_id, usage, ...rest } = body;
  assert.equal(model_version, '1');
  assert.ok(Number(inference_time_ms) >= 0);
  assert.match(String(request_id), /^req_/);
  const { tokens, truncated, ...others } = usage as Record<string, number>;
  assert.ok(tokens! >= 0);
  assert.equal(truncated, 0);
  assert.deepEqual(others, {});
  return rest;
}

const ROUTES: Readonly<Record<string, Json>> = {
  '/analyze/sentiment': {},
  '/analyze/ner': {},
  '/analyze/zero-shot': { labels: ['weather', 'sports'] },
  '/tokenize': {},
};

for (const [path, options] of Object.entries(ROUTES)) {
  test(`${path} has one object for a text, and the same in a list for texts`, async () => {
    const { results, ...rest } = withoutAbout(
      await service.ask<Json>(path, { texts: TEXTS, ...options }),
    );
    assert.deepEqual(rest, {});
    assert.equal((results as Json[]).length, TEXTS.length);
    for (const [i, text] of TEXTS.entries()) {
      const alone = withoutAbout(await service.ask<Json>(path, { text, ...options }));
      assert.deepEqual(rounded(alone), rounded((results as Json[])[i]));
    }
  });
}

/** Numbers with five decimals, because rows of a batch differ in the last digits. */
const rounded = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, each) => (typeof each === 'number' ? Number(each.toFixed(5)) : each)),
  );

describe('POST /analyze/sentiment', () => {
  test('has the best label, and the scores of all labels in falling order', async () => {
    const { label, score, scores } = await service.ask<{
      label: string;
      score: number;
      scores: Record<string, number>;
    }>('/analyze/sentiment', { text: TEXTS[0] });
    assert.deepEqual(Object.keys(scores).toSorted(), ['negative', 'neutral', 'positive']);
    const values = Object.values(scores);
    assert.deepEqual(
      values,
      values.toSorted((a, b) => b - a),
    );
    assert.equal(Object.keys(scores)[0], label);
    assert.equal(values[0], score);
    assert.ok(Math.abs(values.reduce((sum, value) => sum + value, 0) - 1) < 1e-5);
  });

  test('has the scores in falling order also if the labels are numbers', async () => {
    const files = { 'model.json': { labels: ['0', '1', '2'] } };
    await using stars = await openNlp({ stars: { from: 'bert-sentiment', files } });
    const orders = new Set<string>();
    for (const text of TEXTS) {
      const response = await stars.post('/analyze/sentiment', { text });
      const [, scores] = /"scores":\{(.*?)\}/.exec(await response.text())!;
      const entries = scores!.split(',').map((entry) => entry.split(':'));
      const values = entries.map(([, value]) => Number(value));
      assert.deepEqual(
        values,
        values.toSorted((a, b) => b - a),
      );
      orders.add(entries.map(([label]) => label).join());
    }
    assert.notDeepEqual([...orders], ['"0","1","2"']);
  });

  test('has the scores of the top_k best labels', async () => {
    const { scores: all } = await service.ask<{ scores: Json }>('/analyze/sentiment', {
      text: 'fine',
    });
    for (const top_k of [1, 2, 3, 4, 0]) {
      const body = { text: 'fine', top_k };
      const { scores } = await service.ask<{ scores: Json }>('/analyze/sentiment', body);
      const wanted = Object.entries(all).slice(0, top_k === 0 ? 3 : top_k);
      assert.deepEqual(scores, Object.fromEntries(wanted));
    }
  });

  test('reads a long text in windows, or cuts it and counts it', async () => {
    const text = 'a rather long sentence about the weather. '.repeat(40);
    const whole = await service.ask<{ usage: { tokens: number; truncated: number } }>(
      '/analyze/sentiment',
      { text },
    );
    assert.equal(whole.usage.truncated, 0);
    assert.ok(whole.usage.tokens > 300);
    const cut = await service.ask<typeof whole>('/analyze/sentiment', { text, truncate: true });
    assert.deepEqual(cut.usage, { tokens: 64, truncated: 1 });
    const near = await service.ask<typeof whole>('/analyze/sentiment', { text, stride: 0 });
    assert.ok(near.usage.tokens < whole.usage.tokens);
  });
});

describe('POST /analyze/ner', () => {
  interface Found {
    readonly entities: readonly {
      text: string;
      start: number;
      end: number;
      label: string;
      score: number;
    }[];
  }
  const text = 'é👩‍🚀 the 日本 of Paris 👍 and weather in New York';
  const ask = (options: object = {}) =>
    service.ask<Found>('/analyze/ner', { text, aggregation: 'none', ...options });

  test('counts in the unit that is asked for, and quotes the text as it was sent', async () => {
    const points = [...text];
    const bytes = Buffer.from(text);
    const [utf16, codepoint, utf8] = await Promise.all(
      ['utf16', 'codepoint', 'utf8'].map((offset_unit) => ask({ offset_unit })),
    );
    assert.ok(utf16!.entities.length > 0);
    for (const [i, entity] of utf16!.entities.entries()) {
      assert.equal(text.slice(entity.start, entity.end), entity.text);
      const byPoint = codepoint!.entities[i]!;
      assert.equal(points.slice(byPoint.start, byPoint.end).join(''), entity.text);
      const byByte = utf8!.entities[i]!;
      assert.equal(bytes.subarray(byByte.start, byByte.end).toString(), entity.text);
    }
  });

  test('leaves out what is below the threshold or has other labels', async () => {
    const { entities: all } = await ask();
    const middle = all.map(({ score }) => score).toSorted((a, b) => a - b)[all.length >> 1]!;
    // Scores are written with six decimals.
    const { entities: likely } = await ask({ threshold: middle - 1e-6 });
    assert.deepEqual(
      likely,
      all.filter(({ score }) => score >= middle),
    );
    const labels = [all[0]!.label];
    const { entities: some } = await ask({ labels });
    assert.deepEqual(
      some,
      all.filter(({ label }) => labels.includes(label)),
    );
  });

  for (const aggregation of ['simple', 'first', 'average', 'max']) {
    test(`takes the aggregation ${aggregation}`, async () => {
      const { entities } = await ask({ aggregation });
      for (const entity of entities) assert.doesNotMatch(entity.label, /^[BI]-/);
    });
  }
});

test('POST /analyze/zero-shot orders the labels, and takes a template', async () => {
  interface Ranked {
    readonly labels: readonly { readonly label: string; readonly score: number }[];
  }
  const labels = ['weather', 'sports', 'politics'];
  const body = { text: TEXTS[0], labels };
  const { labels: ranked } = await service.ask<Ranked>('/analyze/zero-shot', body);
  const scores = ranked.map(({ score }) => score);
  assert.deepEqual(ranked.map(({ label }) => label).toSorted(), labels.toSorted());
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  );
  assert.ok(Math.abs(scores.reduce((sum, score) => sum + score, 0) - 1) < 1e-5);
  const others = { hypothesis_template: 'It is about {}, is it not?', multi_label: true };
  const { labels: other } = await service.ask<Ranked>('/analyze/zero-shot', { ...body, ...others });
  assert.notDeepEqual(rounded(other), rounded(ranked));
});

test('POST /tokenize shows what the model sees', async () => {
  interface Tokens {
    readonly ids: readonly number[];
    readonly tokens: readonly string[];
    readonly offsets: readonly (readonly [number, number])[];
  }
  const text = 'The 👍 weather';
  const body = { text, model: 'embedder' };
  const { ids, tokens, offsets } = await service.ask<Tokens>('/tokenize', body);
  assert.deepEqual(await service.ask<Tokens>('/tokenize', { text }).then((each) => each.ids), ids);
  assert.equal(tokens[0], '[CLS]');
  assert.equal(tokens.at(-1), '[SEP]');
  assert.equal(ids.length, tokens.length);
  assert.equal(ids.length, offsets.length);
  assert.deepEqual(offsets[0], [0, 0]);
  const emoji = offsets.find(([start]) => start === 4)!;
  assert.equal(text.slice(...emoji), '👍');
  const bare = await service.ask<Tokens>('/tokenize', { ...body, add_special_tokens: false });
  assert.deepEqual(bare.ids, ids.slice(1, -1));
});
