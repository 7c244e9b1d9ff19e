/** @module `POST /summarize`: chosen and written summaries, long texts, streams, and options that contradict each other. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assertErrorResponse } from '../../support/error-response.ts';
import { until } from '../../support/until.ts';
import { FIXTURES, type NlpService, openNlp } from './support.ts';

interface Answer {
  readonly summary: string;
  readonly method: string;
  readonly finish_reason: string;
  readonly sentences?: readonly {
    readonly index: number;
    readonly start: number;
    readonly end: number;
    readonly score: number;
  }[];
  readonly usage: { readonly tokens: number; readonly truncated: number };
}

interface Reference {
  readonly texts: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly generations: readonly {
    readonly name: string;
    readonly options: Readonly<Record<string, unknown>>;
    readonly results: readonly (readonly {
      readonly finish_reason: string;
      readonly text: string;
    }[])[];
  }[];
}

const T5: Reference = JSON.parse(readFileSync(path.join(FIXTURES, 't5/reference.json'), 'utf8'));

const NEWS =
  'The city council voted on Monday to close the old harbour bridge for two years. Engineers had found cracks in the main supports during a routine inspection in March. The bridge was built in 1931. Drivers will have to use the northern tunnel, which already carries 40,000 cars a day. Mayor Anna Schmidt promised free buses during the repairs. Shop owners near the harbour fear that they will lose customers. The weather on Monday was sunny. The work will cost 85 million euros, of which the state pays two thirds. A local band played at the opening of the meeting.';

let service: NlpService;
before(async () => {
  service = await openNlp({ t5: 't5', minilm: 'models/minilm' });
});
after(() => service[Symbol.asyncDispose]());

/** The data of the events of a stream. */
async function eventsOf(response: Response): Promise<(Record<string, unknown> | '[DONE]')[]> {
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
  const frames = (await response.text()).split('\n\n');
  assert.equal(frames.pop(), '');
  return frames.map((frame) => {
    assert.match(frame, /^data: /);
    const data = frame.slice('data: '.length);
    return data === '[DONE]' ? data : JSON.parse(data);
  });
}

describe('an abstractive summary', () => {
  /** The rules that only the summaries of this model have by default are turned off, as the reference was made. */
  const PLAIN = { min_length: 0, no_repeat_ngram_size: 0, length_penalty: 1, num_beams: 1 };
  const CASES = [
    'greedy',
    'greedy, no n-gram of 3 twice',
    '4 beams, stop early',
    'greedy, 20 tokens with the start',
  ];

  for (const name of CASES) {
    test(`is that of transformers: ${name}`, async () => {
      const { options: all, results } = T5.generations.find((each) => each.name === name)!;
      // The model stops early for summaries in any case.
      const { early_stopping: _, ...options } = all;
      for (const [i, { text, ids }] of T5.texts.entries()) {
        // The reference cuts what does not fit.
        if (ids.length >= 64 || results[i] === undefined) continue;
        const answer = await service.ask<Answer>('/summarize', { text, ...PLAIN, ...options });
        const expected = results[i]![0]!;
        assert.equal(answer.summary, expected.text, text);
        assert.equal(answer.finish_reason, expected.finish_reason);
        assert.equal(answer.method, 'abstractive');
        assert.deepEqual(answer.usage, { tokens: ids.length, truncated: 0 });
      }
    });
  }

  test('of several texts is that of each alone', async () => {
    const texts = T5.texts.slice(0, 5).map(({ text }) => text);
    const { results } = await service.ask<{ results: Answer[] }>('/summarize', { texts });
    for (const [i, text] of texts.entries()) {
      const { summary } = await service.ask<Answer>('/summarize', { text });
      assert.equal(results[i]!.summary, summary);
    }
  });

  test('of a long text is made of the summaries of its parts', async () => {
    const short = await service.ask<Answer>('/summarize', { text: 'Hello', max_new_tokens: 8 });
    const long = await service.ask<Answer>('/summarize', { text: NEWS, max_new_tokens: 8 });
    assert.ok(long.usage.tokens > 64 + short.usage.tokens, `${long.usage.tokens} tokens`);
    assert.equal(long.usage.truncated, 0);
    assert.ok(long.summary.length > 0);
    const again = await service.ask<Answer>('/summarize', { text: NEWS, max_new_tokens: 8 });
    assert.equal(again.summary, long.summary);
  });

  test('with truncate leaves out what does not fit, and says so', async () => {
    const body = { text: NEWS, truncate: true, max_new_tokens: 8 };
    const { usage } = await service.ask<Answer>('/summarize', body);
    assert.deepEqual(usage, { tokens: 64, truncated: 1 });
  });

  test('drawn at random is the same for the same seed', async () => {
    const draw = async (seed: number) => {
      const body = { text: 'Hello', temperature: 1.5, seed, max_new_tokens: 16 };
      return (await service.ask<Answer>('/summarize', body)).summary;
    };
    assert.equal(await draw(7), await draw(7));
    const drawn = await Promise.all([1, 2, 3, 4, 5].map(draw));
    assert.ok(new Set(drawn).size > 1);
  });

  test('of hundreds of parts ends, though the model writes what it cannot read in fewer tokens', async () => {
    const text = `${NEWS} `.repeat(12);
    const { summary, usage } = await service.ask<Answer>('/summarize', { text, max_new_tokens: 8 });
    assert.ok(summary.length < 200);
    assert.ok(usage.tokens > 2000);
  });
});

describe('an extractive summary', () => {
  test('is of sentences of the text in its order, which are cited', async () => {
    const body = { text: NEWS, method: 'extractive' };
    const { summary, method, finish_reason, sentences, usage } = await service.ask<Answer>(
      '/summarize',
      body,
    );
    assert.equal(method, 'extractive');
    assert.equal(finish_reason, 'stop');
    assert.equal(sentences!.length, 3);
    const parts = sentences!.map(({ start, end }) => NEWS.slice(start, end));
    assert.equal(parts.join(' '), summary);
    assert.deepEqual(
      sentences!.map(({ index }) => index),
      sentences!.map(({ index }) => index).toSorted((a, b) => a - b),
    );
    // What a person would say of the news, and not of the weather or the band.
    assert.match(summary, /close the old harbour bridge/);
    assert.doesNotMatch(summary, /sunny|band/);
    assert.ok(sentences!.every(({ score }) => score > 0 && score <= 1));
    assert.ok(usage.tokens > 100);
  });

  test('has as many sentences, or the share of them, that the request asks for', async () => {
    const count = async (options: object) =>
      (await service.ask<Answer>('/summarize', { text: NEWS, ...options })).sentences!.length;
    assert.equal(await count({ sentences: 1 }), 1);
    assert.equal(await count({ sentences: 100 }), 9);
    assert.equal(await count({ ratio: 0.5 }), 5);
  });

  test('says nothing twice', async () => {
    const text = 'Cats like fish. Cats like fish! CATS LIKE FISH. Dogs chase the cats.';
    const { sentences } = await service.ask<Answer>('/summarize', { text, sentences: 3 });
    assert.deepEqual(
      sentences!.map(({ index }) => index),
      [0, 3],
    );
  });

  for (const [text, summary] of [
    ['', ''],
    ['...', ''],
    ['One sentence', 'One sentence'],
    ['我喜欢猫。狗也很好。', '我喜欢猫。狗也很好。'],
    ['First line\nSecond line', 'First line\nSecond line'],
  ] as const) {
    test(`of ${JSON.stringify(text)} is ${JSON.stringify(summary)}`, async () => {
      const answer = await service.ask<Answer>('/summarize', { text, method: 'extractive' });
      assert.equal(answer.summary, summary);
    });
  }

  test('is what there is if no model generates text', async () => {
    await using other = await openNlp({ minilm: 'models/minilm' });
    const { method } = await other.ask<Answer>('/summarize', { text: NEWS });
    assert.equal(method, 'extractive');
    const refused = await other.post('/summarize', { text: NEWS, method: 'abstractive' });
    await assertErrorResponse(refused, 404, 'MODEL_NOT_FOUND');
  });
});

describe('a stream', () => {
  for (const [name, body] of Object.entries({
    'of a written summary': { text: 'Hello there.', max_new_tokens: 40, min_length: 30 },
    'of a chosen summary': { text: NEWS, method: 'extractive' },
    'of a long text': { text: NEWS, max_new_tokens: 12 },
  })) {
    test(`${name} has the text in pieces, then the response, then [DONE]`, async () => {
      const response = await service.post('/summarize', { ...body, stream: true });
      assert.equal(response.status, 200);
      const events = await eventsOf(response);
      assert.equal(events.pop(), '[DONE]');
      const { summary, request_id, usage } = events.pop() as Record<string, unknown>;
      assert.equal(events.map((event) => (event as { delta: string }).delta).join(''), summary);
      assert.match(String(request_id), /^req_/);
      assert.ok((usage as Answer['usage']).tokens > 0);
      const whole = await service.ask<Answer>('/summarize', { ...body, num_beams: undefined });
      assert.equal(typeof whole.summary, 'string');
    });
  }

  test('is searched without the beams that the model has by default', async () => {
    const body = { text: 'Hello there.', max_new_tokens: 40, min_length: 30 };
    const response = await service.post('/summarize', { ...body, stream: true });
    const { summary } = (await eventsOf(response)).at(-2) as Record<string, unknown>;
    const of = async (more: object) =>
      (await service.ask<Answer>('/summarize', { ...body, ...more })).summary;
    assert.equal(summary, await of({ num_beams: 1 }));
    assert.notEqual(summary, await of({}));
  });

  test('that a client leaves ends the generation', async () => {
    const body = { text: 'Hello', stream: true, max_new_tokens: 4000, min_length: 3999 };
    const response = await service.post('/summarize', body);
    const reader = response.body!.getReader();
    await reader.read();
    await reader.cancel();
    await until(() => service.runtime.admission.inFlight === 0, 'the permit is released');
  });

  test('past its deadline ends with an error', async () => {
    const body = { text: 'Hello', stream: true, max_new_tokens: 4000, min_length: 3999 };
    const response = await service.post('/summarize', body, { 'X-Request-Timeout-Ms': '300' });
    if (response.status === 504) return;
    const events = await eventsOf(response);
    assert.equal((events.at(-1) as { code: string }).code, 'DEADLINE_EXCEEDED');
  });
});

describe('a request that is wrong', () => {
  for (const [body, message] of [
    [{ texts: ['a', 'b'], stream: true }, /stream is of one summary/],
    [{ text: 'a', sentences: 2, ratio: 0.5 }, /exclude each other/],
    [{ text: 'a', sentences: 2, num_beams: 2 }, /leave one of them out/],
    [{ text: 'a', ratio: 0.5, method: 'abstractive' }, /leave one of them out/],
    [{ text: 'a', method: 'extractive', max_length: 9 }, /no effect with "method": "extractive"/],
    [{ text: 'a', stream: true, num_beams: 2 }, /stream cannot have num_beams/],
    [{ text: 'a', max_length: 9, max_new_tokens: 9 }, /exclude each other/],
    [{ text: 'a', max_new_tokens: 5000 }, /at most 4096/],
    [{ text: 'a', min_length: 50, max_length: 20 }, /at least 49 new tokens/],
    [{ text: 'a', temperature: 1, num_beams: 2 }, /cannot be drawn/],
    [{ text: 'a', method: 'best' }, /method/],
    [{ text: 'a', sentences: 0 }, /sentences/],
    [{ text: 'a', ratio: 2 }, /ratio/],
    [{ text: 'a', top_p: 0, temperature: 1 }, /top_p/],
    [{ text: 'a', num_beams: 100 }, /num_beams/],
    [{ text: 'a', seed: -1 }, /seed/],
    [{ text: '\ud800' }, /surrogate/],
  ] as const) {
    test(`${JSON.stringify(body)} is refused: ${message.source}`, async () => {
      const response = await service.post('/summarize', body);
      assert.match(await assertErrorResponse(response, 400, 'INVALID_ARGUMENT'), message);
    });
  }

  test('a text of 500,000 tokens is refused before they are all made', async () => {
    const body = { text: 'a '.repeat(500_000), method: 'abstractive' };
    const response = await service.post('/summarize', body);
    // The count in the message is that of all tokens only if they were made.
    const message = await assertErrorResponse(response, 413, 'PAYLOAD_TOO_LARGE');
    assert.match(message, /more than 100000 tokens/);
  });

  test('a model of another task is refused with both tasks', async () => {
    const response = await service.post('/summarize', {
      ...{ text: 'a', model: 'minilm', method: 'abstractive' },
    });
    const message = await assertErrorResponse(response, 400, 'WRONG_TASK');
    assert.match(message, /feature-extraction.*text2text-generation/);
  });
});
