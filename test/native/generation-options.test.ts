/** @module Wrong options and wrong files are refused with a sentence that names them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { GenerateOptions, GeneratorOptions } from '../../native/index.ts';
import { filesOf, input, short, textFile, twoDecoders, withGenerator } from './generators.ts';
import { fixture, open, refused } from './support.ts';

const engine = open();
const model = await engine.loadGenerator(filesOf('t5'));
const folder = mkdtempSync(path.join(tmpdir(), 'millrace-generation-'));
after(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

/** A value that TypeScript would not let pass. */
const any = (value: unknown) => value as never;

/** For each option of a generation, wrong values, and what the sentence says. */
const wrong: readonly (readonly [GenerateOptions, RegExp])[] = [
  [{ maxNewTokens: 0 }, /'maxNewTokens' must be from 1 to 1048576 but is 0/],
  [{ maxNewTokens: -3 }, /'maxNewTokens' must be .* but is -3/],
  [{ maxNewTokens: 1.5 }, /'maxNewTokens' must be a whole number but is 1.5/],
  [{ maxNewTokens: 1e12 }, /'maxNewTokens'/],
  [{ maxNewTokens: Number.NaN }, /'maxNewTokens' must be a whole number but is NaN/],
  [{ maxNewTokens: any('5') }, /'maxNewTokens' must be a whole number but is '5'/],
  [{ minNewTokens: -1 }, /'minNewTokens'/],
  [{ minNewTokens: 200 }, /'minNewTokens' must be from 0 to 5 but is 200/],
  [{ numBeams: 0 }, /'numBeams'/],
  [{ numBeams: 65 }, /'numBeams' must be from 1 to \d+ but is 65/],
  [{ numBeams: 33 }, /'?numBeams'?.*33|33.*rows/],
  [{ numBeams: 2 ** 40 }, /'numBeams'/],
  [{ numBeams: 2, doSample: true }, /'doSample' and 'numBeams'/],
  [{ lengthPenalty: Number.NaN }, /'lengthPenalty' must be a number but is NaN/],
  [{ lengthPenalty: Number.POSITIVE_INFINITY }, /'lengthPenalty'/],
  [{ lengthPenalty: any('long') }, /'lengthPenalty' must be a number but is 'long'/],
  [{ earlyStopping: any('always') }, /'earlyStopping' must be true, false or 'never'/],
  [{ doSample: any(1) }, /'doSample' must be true or false but is 1/],
  [{ doSample: true, temperature: 0 }, /'temperature' must be a number above 0 but is 0/],
  [{ temperature: -1 }, /'temperature'/],
  [{ temperature: 1e300 }, /'temperature'/],
  [{ topK: -1 }, /'topK'/],
  [{ topK: 0.5 }, /'topK' must be a whole number but is 0.5/],
  [{ topP: 0 }, /'topP' must be above 0 and at most 1 but is 0/],
  [{ topP: 1.1 }, /'topP'/],
  [{ seed: -1 }, /'seed' must be a whole number from 0/],
  [{ seed: 2 ** 60 }, /'seed'/],
  [{ seed: any(5n) }, /'seed' .* but is 5/],
  [{ repetitionPenalty: 0 }, /'repetitionPenalty' must be a number above 0/],
  [{ noRepeatNgramSize: -1 }, /'noRepeatNgramSize'/],
  [{ encoderNoRepeatNgramSize: -1 }, /'encoderNoRepeatNgramSize'/],
  [{ eosTokenIds: -1 }, /'eosTokenIds' must have token ids, .* but has -1 at 0/],
  [{ eosTokenIds: [1, 2.5] }, /'eosTokenIds' .* 2.5 at 1/],
  [{ eosTokenIds: any('</s>') }, /'eosTokenIds' must be a list of token ids but is '<\/s>'/],
  [{ padTokenId: -1 }, /'padTokenId'/],
  [{ decoderStartTokenId: any(undefined) }, /'decoderStartTokenId' is missing/],
  [{ decoderStartTokenId: 640 }, /'decoderStartTokenId' must be from 0 to 639 but is 640/],
  [{ forcedBosTokenId: 640 }, /'forcedBosTokenId'/],
  [{ forcedEosTokenId: 640 }, /'forcedEosTokenId'/],
  [{ forcedEosTokenId: 0.1 }, /'forcedEosTokenId' must be a token id/],
  [{ suppressTokens: [-5] }, /'suppressTokens'/],
  [{ suppressTokens: any(5) }, /'suppressTokens' must be a list of token ids but is 5/],
  [{ beginSuppressTokens: [Number.NaN] }, /'beginSuppressTokens' .* NaN at 0/],
  [{ badWordsIds: [[]] }, /'badWordsIds' has an empty list/],
  [{ badWordsIds: [[1], [640]] }, /'badWordsIds'/],
  [{ badWordsIds: any([5]) }, /'badWordsIds\[0\]' must be a list of token ids but is 5/],
  [{ badWordsIds: any('no') }, /'badWordsIds' must be a list of lists/],
  [{ stream: any('yes') }, /'stream' must be true or false but is 'yes'/],
  [{ timeoutMs: -1 }, /'timeoutMs' must be a number of milliseconds/],
  [{ timeoutMs: Number.NaN }, /'timeoutMs'/],
  [{ priority: 256 }, /'priority' must be a whole number from 0 \(most urgent\) to 255 but is 256/],
];

/** Wrong inputs. */
const inputs: readonly (readonly [unknown, RegExp])[] = [
  [[], /empty|at least one/],
  [[640], /640/],
  [[1, -1], /'inputIds' must have token ids, .* but has -1 at 1/],
  [Int32Array.of(5, -7), /-7/],
  [[1.5], /1\.5 at 0/],
  [['5'], /'5' at 0/],
  [[null], /null at 0/],
  [BigInt64Array.of(2n ** 40n), /1099511627776 at 0/],
  ['text', /'inputIds' must be a list of token ids but is 'text'/],
  [null, /'inputIds' must be a list of token ids but is null/],
  [{ length: 1e15 }, /'inputIds' must have at most \d+ token ids/],
];

describe('a generation is refused for', () => {
  for (const [options, message] of wrong) {
    const title = Object.entries(options)
      .map(([name, value]) => `${name} ${String(value)}`)
      .join(' and ');
    test(title, async () => {
      const { result } = model.generate(input, { ...short, ...options });
      await refused(result, 'INVALID_ARGUMENT', message);
      assert.equal(model.stats().submitted, 0);
    });
  }

  for (const [ids, message] of inputs) {
    test(`the input ${ids?.constructor.name} ${String(ids)}`, async () => {
      await refused(model.generate(any(ids), short).result, 'INVALID_ARGUMENT', message);
    });
  }

  test('a sequence of more positions than the model has', () =>
    withGenerator(
      engine,
      'gpt2',
      async (limited) => {
        const long = limited.generate([1, 2, 3], { maxNewTokens: 100 });
        await refused(long.result, 'INVALID_ARGUMENT', /takes at most 96/);
        const { result } = limited.generate([1, 2, 3], { maxNewTokens: 50 });
        assert.equal((await result).tokens.length, 50);
      },
      { maxPositions: 96 },
    ));
});

/** Wrong options of a load. */
const loads: readonly (readonly [Partial<GeneratorOptions>, RegExp])[] = [
  [{ decoder: any(undefined) }, /decoder is undefined: expected the path/],
  [{ encoder: any(5) }, /encoder is 5/],
  [{ decoderWithPast: any(5) }, /decoderWithPast is 5/],
  [{ maxRows: 0 }, /maxRows is 0: expected a number from 1/],
  [{ maxRows: 1.5 }, /maxRows is 1.5: expected a whole number/],
  [{ maxPrefillTokens: 0 }, /maxPrefillTokens/],
  [{ cacheBytes: -1 }, /cacheBytes/],
  [{ maxQueue: 0 }, /maxQueue/],
  [{ runLimitMs: 0 }, /runLimitMs/],
  [{ weight: 0 }, /weight/],
  [{ intraOpThreads: 0 }, /intraOpThreads/],
  [{ maxPositions: 0 }, /maxPositions/],
  [{ maxEncoderPositions: 0.5 }, /maxEncoderPositions/],
  [{ device: 'tpu' }, /tpu/],
  [{ deviceOptions: { memoryLimitBytes: 5 } }, /memoryLimitBytes/],
];

describe('a load is refused for', () => {
  for (const [options, message] of loads) {
    const [[name, value] = []] = Object.entries(options);
    test(`${name} ${JSON.stringify(value)}`, async () => {
      await refused(
        engine.loadGenerator({ ...filesOf('t5'), ...options }),
        'INVALID_ARGUMENT',
        message,
      );
    });
  }

  test('a file that is missing', async () => {
    const missing = path.join(folder, 'missing.onnx');
    const error = await refused(engine.loadGenerator({ decoder: missing }), 'NOT_FOUND');
    assert.match(error.message, /missing\.onnx/);
    await refused(engine.loadGenerator({ ...filesOf('t5'), encoder: missing }), 'NOT_FOUND');
  });

  test('a file that is not a model', async () => {
    const decoder = path.join(folder, 'text.onnx');
    writeFileSync(decoder, 'This is no model.');
    const error = await refused(engine.loadGenerator({ decoder }), 'INVALID_ARGUMENT');
    assert.ok(!error.message.includes(folder), error.message);
  });

  test('a model that is no decoder', async () => {
    const decoder = fixture('identity-float32');
    await refused(engine.loadGenerator({ decoder }), 'INVALID_ARGUMENT', /Input 'x'/);
  });

  test('an encoder without a decoder, and a decoder without its encoder', async () => {
    const encoder = textFile('t5', 'encoder_model.onnx');
    await refused(engine.loadGenerator({ decoder: encoder }), 'INVALID_ARGUMENT');
    const { decoder } = filesOf('t5');
    await refused(engine.loadGenerator({ decoder }), 'INVALID_ARGUMENT', /encoder/);
  });

  test('the first decoder of two alone', async () => {
    const { decoderWithPast: _, ...rest } = twoDecoders('t5');
    await refused(engine.loadGenerator(rest), 'INVALID_ARGUMENT', /past/);
  });
});
