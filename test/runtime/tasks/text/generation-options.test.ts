import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  generationOptions,
  type RequestedGeneration,
} from '../../../../runtime/tasks/text/generation-options.ts';
import type {
  GenerationDefaults,
  GenerationSettings,
} from '../../../../runtime/text/text-model.ts';

const settings = (changes: Partial<GenerationSettings> = {}): GenerationSettings => ({
  prefix: '',
  maxLength: undefined,
  minLength: undefined,
  options: {},
  ...changes,
});

interface Case {
  readonly settings?: Partial<GenerationSettings>;
  readonly decoderOnly?: true;
  readonly positions?: number;
  readonly streamed?: true;
}

function resolve(wanted: RequestedGeneration, its: Case = {}) {
  const own = settings(its.settings);
  const defaults: GenerationDefaults = {
    encoderDecoder: its.decoderOnly !== true,
    positions: its.positions,
    text: own,
    summary: own,
  };
  return generationOptions(defaults, own, wanted, 10, its.streamed === true);
}

describe('lengths', () => {
  test('without any limit there are 128 new tokens', () => {
    assert.equal(resolve({}).maxNewTokens, 128);
  });

  test('max_length counts the start token of a decoder, and the prompt of a model without an encoder', () => {
    assert.equal(resolve({ max_length: 30 }).maxNewTokens, 29);
    assert.equal(resolve({ max_length: 30 }, { decoderOnly: true }).maxNewTokens, 20);
    assert.equal(resolve({}, { settings: { maxLength: 62 } }).maxNewTokens, 61);
  });

  test('max_new_tokens of the request wins over all limits of the model', () => {
    const own = { maxLength: 62, options: { maxNewTokens: 5 } };
    assert.equal(resolve({}, { settings: own }).maxNewTokens, 5);
    assert.equal(resolve({ max_new_tokens: 7 }, { settings: own }).maxNewTokens, 7);
  });

  test('min_length counts as max_length, and is never above it', () => {
    assert.equal(resolve({ min_length: 11 }).minNewTokens, 10);
    assert.equal(resolve({ max_new_tokens: 4 }, { settings: { minLength: 20 } }).minNewTokens, 4);
  });

  test('a usual limit ends with the positions of the model', () => {
    assert.equal(resolve({}, { positions: 40, decoderOnly: true }).maxNewTokens, 30);
  });

  for (const [wanted, its, message] of [
    [{ max_length: 30, max_new_tokens: 3 }, {}, /exclude each other/],
    [{ max_length: 10 }, { decoderOnly: true }, /has 10 tokens before the first new one/],
    [
      { max_new_tokens: 31 },
      { decoderOnly: true, positions: 40 },
      /^max_new_tokens is 31, but the model can make at most 30 new tokens here; write at most 30\.$/,
    ],
    [{ max_new_tokens: 4097 }, {}, /at most 4096 new tokens here/],
    [
      { max_length: 50 },
      { decoderOnly: true, positions: 40 },
      /^max_length is 50, but the model can make at most 30 new tokens here; write at most 40\.$/,
    ],
    [
      { min_length: 40, max_length: 20 },
      {},
      /^min_length asks for at least 39 new tokens, but there are at most 19; /,
    ],
    [{}, { decoderOnly: true, positions: 10 }, /send a shorter text/],
  ] as const satisfies readonly (readonly [RequestedGeneration, Case, RegExp])[]) {
    test(`${JSON.stringify(wanted)} is refused: ${message.source}`, () => {
      assert.throws(() => resolve(wanted, its), { code: 'INVALID_ARGUMENT', message });
    });
  }
});

describe('search', () => {
  test('is that of the model, and one beam if the text is streamed', () => {
    const its = { settings: { options: { numBeams: 4, lengthPenalty: 2 } } };
    const { numBeams, lengthPenalty, doSample } = resolve({}, its);
    assert.deepEqual(
      { numBeams, lengthPenalty, doSample },
      {
        ...{ numBeams: 4, lengthPenalty: 2, doSample: false },
      },
    );
    assert.equal(resolve({}, { ...its, streamed: true }).numBeams, 1);
  });

  test('draws tokens if the request has an option of drawing, with a seed', () => {
    const { doSample, topP, seed, numBeams } = resolve(
      { top_p: 0.9 },
      { settings: { options: { numBeams: 4 } } },
    );
    assert.deepEqual({ doSample, topP, numBeams }, { doSample: true, topP: 0.9, numBeams: 1 });
    assert.ok(Number.isInteger(seed));
    assert.equal(resolve({ seed: 7 }).seed, 7);
  });

  test('with temperature 0 is greedy, also if the model draws', () => {
    const { doSample, seed } = resolve(
      { temperature: 0 },
      { settings: { options: { doSample: true } } },
    );
    assert.deepEqual({ doSample, seed }, { doSample: false, seed: undefined });
  });

  for (const [wanted, its, message] of [
    [{ temperature: 1, num_beams: 2 }, {}, /cannot be drawn at random with num_beams/],
    [{ temperature: 0, top_p: 0.5 }, {}, /no effect with "temperature": 0/],
    [{ num_beams: 2 }, { streamed: true }, /A stream cannot have num_beams above 1/],
  ] as const satisfies readonly (readonly [RequestedGeneration, Case, RegExp])[]) {
    test(`${JSON.stringify(wanted)} is refused: ${message.source}`, () => {
      assert.throws(() => resolve(wanted, its), { code: 'INVALID_ARGUMENT', message });
    });
  }
});
