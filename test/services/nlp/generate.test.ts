/** @module The generate extension of the protocol for models that generate text. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { assertErrorResponse } from '../../support/error-response.ts';
import { until } from '../../support/until.ts';
import { FIXTURES, type NlpService, openNlp } from './support.ts';

const MODELS = ['gpt2', 'llama', 't5'] as const;

interface Reference {
  readonly prefix?: string;
  readonly texts: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly generations: readonly {
    readonly name: string;
    readonly results: readonly (readonly { readonly text: string }[])[];
  }[];
}

const reference = (model: string): Reference =>
  JSON.parse(readFileSync(path.join(FIXTURES, model, 'reference.json'), 'utf8'));

let service: NlpService;
before(async () => {
  service = await openNlp({ gpt2: 'gpt2', llama: 'llama', t5: 't5', minilm: 'models/minilm' });
});
after(() => service[Symbol.asyncDispose]());

interface Generated {
  readonly id?: string;
  readonly model_name: string;
  readonly text_output: string;
  readonly finish_reason?: string;
  readonly num_input_tokens?: number;
  readonly num_output_tokens?: number;
}

const generate = (model: string, body: object) =>
  service.ask<Generated>(`/v2/models/${model}/generate`, body);

async function eventsOf(model: string, body: object): Promise<Generated[]> {
  const response = await service.post(`/v2/models/${model}/generate_stream`, body);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
  const frames = (await response.text()).split('\n\n');
  assert.equal(frames.pop(), '');
  const events = frames.map((frame): Generated => JSON.parse(frame.replace(/^data: /, '')));
  for (const { model_name } of events) assert.equal(model_name, model);
  return events;
}

/** The text of each event of a stream. */
const piecesOf = async (model: string, body: object): Promise<string[]> =>
  (await eventsOf(model, body)).map(({ text_output }) => text_output);

const endOf = ({ finish_reason, num_input_tokens, num_output_tokens }: Generated) => [
  ...[finish_reason, num_input_tokens, num_output_tokens],
];

for (const model of MODELS) {
  describe(model, () => {
    const { texts, generations, prefix = '' } = reference(model);
    const greedy = generations.find(({ name }) => name === 'greedy')!;

    test('generates the text of transformers, whole and in pieces', async () => {
      let compared = 0;
      for (const [i, { text, ids }] of texts.entries()) {
        const expected = greedy.results[i]?.[0]?.text;
        if (text === '' || ids.length >= 60 || expected === undefined) continue;
        const body = { text_input: prefix + text, parameters: { max_tokens: 24 } };
        const { text_output } = await generate(model, body);
        assert.equal(text_output, expected, text);
        assert.equal((await piecesOf(model, body)).join(''), expected, text);
        compared += 1;
      }
      assert.ok(compared >= 8);
    });

    test('together with others generates what it generates alone', async () => {
      const bodies = texts
        .filter(({ text, ids }) => text !== '' && ids.length < 60)
        .map(({ text }, i) => ({
          text_input: prefix + text,
          parameters: { max_tokens: 8 + (i % 5) * 4 },
        }));
      const alone: string[] = [];
      for (const body of bodies) alone.push((await generate(model, body)).text_output);
      const together = await Promise.all(bodies.map((body) => generate(model, body)));
      assert.deepEqual(
        together.map(({ text_output }) => text_output),
        alone,
      );
    });
  });
}

describe('options', () => {
  const prompt = { text_input: 'The train to the coast' };
  const long = { max_tokens: 24, min_tokens: 24 };

  test('stop ends the text before the first stop string', async () => {
    const { text_output: whole } = await generate('gpt2', { ...prompt, parameters: long });
    const stop = whole.slice(4, 6);
    const at = whole.indexOf(stop);
    for (const form of [stop, [stop, 'never said']]) {
      const parameters = { ...long, stop: form };
      const { text_output } = await generate('gpt2', { ...prompt, parameters });
      assert.equal(text_output, whole.slice(0, at));
      const pieces = await piecesOf('gpt2', { ...prompt, parameters });
      assert.equal(pieces.join(''), whole.slice(0, at));
    }
  });

  test('seed repeats what was drawn', async () => {
    const draw = async (seed: number) => {
      const parameters = { ...long, temperature: 2, top_p: 0.95, top_k: 40, seed };
      return (await generate('gpt2', { ...prompt, parameters })).text_output;
    };
    assert.equal(await draw(3), await draw(3));
    assert.ok(new Set(await Promise.all([1, 2, 3, 4].map(draw))).size > 1);
  });

  test('num_beams searches by beams', async () => {
    const parameters = { max_tokens: 16, num_beams: 4 };
    const { text_output } = await generate('gpt2', { ...prompt, parameters });
    assert.ok(text_output.length > 0);
  });

  test('options may stand beside the text, as clients of some models of Triton send them', async () => {
    const { text_output } = await generate('gpt2', { ...prompt, max_tokens: 5, stream: false });
    const parameters = { max_tokens: 5, stream: false };
    assert.equal((await generate('gpt2', { ...prompt, parameters })).text_output, text_output);
    const whole = await piecesOf('gpt2', {
      ...prompt,
      parameters: { ...parameters, stream: true },
    });
    assert.equal(whole.join(''), text_output);
  });

  test('id is repeated', async () => {
    const { id } = await generate('gpt2', { ...prompt, id: 'mine', parameters: { max_tokens: 2 } });
    assert.equal(id, 'mine');
  });
});

describe('a response says why and after how many tokens the text ends', () => {
  const text_input = 'The train to the coast';

  for (const model of ['gpt2', 't5']) {
    test(`${model} ends at max_tokens`, async () => {
      const body = { text_input, max_tokens: 6, min_tokens: 6 };
      const { ids } = await service.ask<{ ids: number[] }>('/tokenize', {
        text: text_input,
        model,
      });
      const end = ['length', ids.length, 6];
      assert.deepEqual(endOf(await generate(model, body)), end);
      const events = await eventsOf(model, body);
      assert.deepEqual(endOf(events.at(-1)!), end);
      assert.equal(events.at(-1)!.text_output, '');
      for (const event of events.slice(0, -1))
        assert.deepEqual(endOf(event), Array(3).fill(undefined));
    });
  }

  test('a stop text ends it', async () => {
    const whole = await generate('gpt2', { text_input, max_tokens: 24, min_tokens: 24 });
    const body = { text_input, max_tokens: 24, stop: whole.text_output.slice(4, 6) };
    assert.equal((await generate('gpt2', body)).finish_reason, 'stop');
    assert.equal((await eventsOf('gpt2', body)).at(-1)!.finish_reason, 'stop');
  });
});

test('a model that generates no text says so', async () => {
  for (const route of ['generate', 'generate_stream']) {
    const response = await service.post(`/v2/models/minilm/${route}`, { text_input: 'a' });
    const message = await assertErrorResponse(response, 400, 'WRONG_TASK');
    assert.match(message, /^Model 'minilm' does not generate text, .* its inputs: input_ids, /);
  }
});

test('a model may have more options by default than a request', async () => {
  const bad_words_ids = Array.from({ length: 1001 }, (_, i) => [i % 500, 5]);
  const defaults = { eos_token_id: 0, num_beams: 20, bad_words_ids };
  const files = { 'generation_config.json': defaults };
  await using own = await openNlp({ own: { from: 'gpt2', files } });
  const parameters = { max_tokens: 4 };
  const { text_output } = await own.ask<{ text_output: string }>('/v2/models/own/generate', {
    ...{ text_input: 'The train', parameters },
  });
  assert.ok(text_output.length > 0);
});

test('a stream says whether it is from the cache', async () => {
  await using cached = await openNlp({ gpt2: 'gpt2' }, { cacheTtlSecs: 60 });
  const body = { text_input: 'The train', parameters: { max_tokens: 8 } };
  const ask = async (headers: Readonly<Record<string, string>> = {}) => {
    const response = await cached.post('/v2/models/gpt2/generate_stream', body, headers);
    assert.match(await response.text(), /^data: /);
    return [response.headers.get('x-cache'), response.headers.get('age')];
  };
  assert.deepEqual(await ask(), ['miss', null]);
  assert.deepEqual(await ask(), ['hit', '0']);
  assert.deepEqual(await ask({ 'Cache-Control': 'no-store' }), ['bypass', null]);
});

test('a client that leaves a stream ends its generation', async () => {
  const body = { text_input: 'The train', parameters: { max_tokens: 40, min_tokens: 40 } };
  const response = await service.post('/v2/models/llama/generate_stream', body);
  await response.body!.cancel();
  await until(() => service.runtime.admission.inFlight === 0, 'the permit is released');
});

describe('a request that is wrong', () => {
  for (const [body, message] of [
    [{}, /text_input/],
    [{ text_input: 5 }, /text_input/],
    [{ text_input: 'a', x: 1 }, /^The body has the unknown key 'x'; its keys are /],
    [{ text_input: 'a', parameters: { max_tokens: 0 } }, /max_tokens/],
    [{ text_input: 'a', parameters: { max_tokens: 1.5 } }, /max_tokens/],
    [{ text_input: 'a', parameters: { tokens: 1 } }, /tokens/],
    [{ text_input: 'a', parameters: { temperature: -1 } }, /temperature/],
    [{ text_input: 'a', parameters: { stop: [''] } }, /stop/],
    [
      { text_input: 'a', parameters: { stop: Array(500_000).fill(7) } },
      /stop must be .* at most 16/,
    ],
    [{ text_input: 'a', parameters: { stop: 'a'.repeat(257) } }, /stop must be .* at most 256/],
    [{ text_input: 'a', parameters: { num_beams: 17 } }, /num_beams must be at most 16/],
    [{ text_input: 'a', parameters: { top_p: 1.5 } }, /top_p/],
    [
      { text_input: 'a', parameters: { max_tokens: 4000 } },
      /^max_tokens is 4000, but the model can make at most 12\d new tokens here; write at most 12\d\.$/,
    ],
    [
      { text_input: 'a', parameters: { min_tokens: 9, max_tokens: 3 } },
      /^min_tokens asks for at least 9 new tokens, .* at most 3; /,
    ],
    [
      { text_input: 'a', seed: 1, parameters: { seed: 1 } },
      /^seed stands in the body and in parameters; send it once\.$/,
    ],
    [{ text_input: 'a', parameters: { num_beams: 2, seed: 1 } }, /cannot be drawn/],
    [{ text_input: 'a', stream: true }, /contradicts the route/],
    [{ text_input: '\udc00' }, /surrogate/],
    [{ text_input: 'a', max_tokens: 100_000 }, /^max_tokens is 100000, /],
    [{ text_input: 'word '.repeat(500) }, /send a shorter one/],
    [{ text_input: '' }, /no tokens/],
  ] as const) {
    test(`${JSON.stringify(body).slice(0, 80)} is refused: ${message.source}`, async () => {
      const response = await service.post('/v2/models/gpt2/generate', body);
      assert.match(await assertErrorResponse(response, 400, 'INVALID_ARGUMENT'), message);
    });
  }

  test('a member that is sent twice is refused', async () => {
    const body = '{"text_input":"a","parameters":{"seed":1,"seed":2}}';
    const response = await service.post('/v2/models/gpt2/generate', body);
    const message = await assertErrorResponse(response, 400, 'INVALID_ARGUMENT');
    assert.match(message, /member 'seed' twice/);
  });

  test('a number beyond 2^53 is refused as it was written', async () => {
    const body = '{"text_input":"a","parameters":{"seed":18446744073709551616}}';
    const response = await service.post('/v2/models/gpt2/generate', body);
    const message = await assertErrorResponse(response, 400, 'INVALID_ARGUMENT');
    assert.match(message, /seed must be .* but is 18446744073709551616;/);
  });

  test('a text of more than 1 MiB is refused', async () => {
    const body = { text_input: 'a'.repeat(1024 * 1024 + 1) };
    const response = await service.post('/v2/models/gpt2/generate', body);
    assert.match(await assertErrorResponse(response, 413, 'PAYLOAD_TOO_LARGE'), /1 MiB/);
  });

  test('a text of 500,000 tokens is refused before they are all made', async () => {
    const body = { text_input: 'a '.repeat(500_000) };
    const response = await service.post('/v2/models/gpt2/generate', body);
    assert.match(await assertErrorResponse(response, 413, 'PAYLOAD_TOO_LARGE'), /100000/);
  });

  test('beams cannot be streamed', async () => {
    const body = { text_input: 'a', parameters: { num_beams: 2 } };
    const response = await service.post('/v2/models/gpt2/generate_stream', body);
    const message = await assertErrorResponse(response, 400, 'INVALID_ARGUMENT');
    assert.match(message, /stream cannot have num_beams/);
  });
});
