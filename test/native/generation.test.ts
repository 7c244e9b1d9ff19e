/** @module Generated tokens are those of transformers, alone and in a crowd, and arrive as they are made. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Generation, GenerativeModel } from '../../native/index.ts';
import {
  type Case,
  casesOf,
  collect,
  input,
  short,
  twoDecoders,
  withGenerator,
} from './generators.ts';
import { open } from './support.ts';

const engine = open();
after(() => engine.close());

/** The relative difference that float32 allows between sums in another order. */
const close = (actual: number | undefined, expected: number) =>
  actual !== undefined && Math.abs(actual - expected) <= 1e-4 * Math.max(1, Math.abs(expected));

async function check(generation: Generation, { name, tokens, finishReason, score }: Case) {
  const result = await generation.result;
  assert.deepEqual([...result.tokens], tokens, name);
  assert.equal(result.finishReason, finishReason, name);
  if (score === undefined) assert.equal(result.score, undefined, name);
  else assert.ok(close(result.score, score), `${name}: ${result.score} instead of ${score}`);
}

/** The same order on each run, in which neighbours have other lengths and options. */
const mixed = <Item>(items: readonly Item[]): readonly Item[] =>
  items.map((_, index) => items[(index * 89) % items.length]!);

const models = {
  t5: {},
  bart: {},
  marian: {},
  gpt2: {},
  llama: {},
  't5-gated': twoDecoders('t5-gated'),
};

for (const [fixture, options] of Object.entries(models)) {
  describe(`the tokens of ${fixture} are those of transformers`, () => {
    const cases = casesOf(fixture);
    const run = (model: GenerativeModel, item: Case) => model.generate(item.inputIds, item.options);

    test(`alone (${cases.length} generations)`, { timeout: 120_000 }, () =>
      withGenerator(
        engine,
        fixture,
        async (model) => {
          for (const item of cases) await check(run(model, item), item);
        },
        options,
      ),
    );

    test('in a crowd of all options and lengths', { timeout: 120_000 }, () =>
      withGenerator(
        engine,
        fixture,
        async (model) => {
          const started = mixed(cases).map((item) => ({ item, generation: run(model, item) }));
          for (const { item, generation } of started) await check(generation, item);
          const { rows, steps } = model.stats();
          assert.ok(rows > 4 * steps, `${rows} rows in ${steps} steps: hardly anything was shared`);
        },
        { ...options, maxRows: 16, maxPrefillTokens: 64 },
      ),
    );
  });
}

test('two decoders generate what one decoder generates', () =>
  withGenerator(
    engine,
    't5',
    async (model) => {
      for (const item of casesOf('t5').slice(0, 42)) {
        await check(model.generate(item.inputIds, item.options), item);
      }
    },
    twoDecoders('t5'),
  ));

describe('a generation', () => {
  const [greedy] = casesOf('t5') as [Case];
  const beams = casesOf('t5').find(({ options }) => options.numBeams === 4)!;

  test('yields its tokens as they are made', () =>
    withGenerator(engine, 't5', async (model) => {
      const generation = model.generate(greedy.inputIds, greedy.options);
      const { tokens, parts } = await collect(generation);
      assert.deepEqual(tokens, greedy.tokens);
      assert.ok(parts > 1, 'all came at once');
      await check(generation, greedy);
      // A later iteration starts at the first token.
      assert.deepEqual(await collect(generation), { tokens: greedy.tokens, parts: 1 });
    }));

  test('yields its tokens at the end without stream, and with beams', () =>
    withGenerator(engine, 't5', async (model) => {
      for (const { inputIds, options, tokens } of [greedy, beams]) {
        const generation = model.generate(inputIds, { ...options, stream: false });
        assert.deepEqual(await collect(generation), { tokens, parts: 1 });
      }
      const streamed = model.generate(beams.inputIds, beams.options);
      assert.deepEqual(await collect(streamed), { tokens: beams.tokens, parts: 1 });
    }));

  test('takes ids as numbers, typed arrays and bigints', () =>
    withGenerator(engine, 't5', async (model) => {
      const { inputIds, options } = greedy;
      for (const ids of [
        inputIds,
        Int32Array.from(inputIds),
        Uint16Array.from(inputIds),
        BigInt64Array.from(inputIds, BigInt),
      ]) {
        await check(model.generate(ids, options), greedy);
      }
    }));

  test('says how long its parts took, and in how many steps', () =>
    withGenerator(engine, 't5', async (model) => {
      const { tokens, timings, steps } = await model.generate(input, short).result;
      assert.equal(tokens.length, 5);
      assert.equal(steps, 5);
      const { batchRequests, batchRows, computeMs, decodeMs, prefillMs, queueMs } = timings;
      assert.deepEqual([batchRequests, batchRows], [1, 1]);
      assert.ok(queueMs >= 0 && prefillMs > 0 && decodeMs > 0, JSON.stringify(timings));
      assert.equal(computeMs, prefillMs + decodeMs);
    }));

  test('has one stream of random numbers for each seed, whatever runs beside it', () =>
    withGenerator(engine, 'gpt2', async (model) => {
      const [{ inputIds }] = casesOf('gpt2') as [Case];
      const sample = async (seed: number | undefined) => {
        const random = { doSample: true, temperature: 1.5, topK: 0, maxNewTokens: 16 };
        const options = seed === undefined ? random : { ...random, seed };
        return [...(await model.generate(inputIds, options).result).tokens].join(' ');
      };
      const alone = await sample(7);
      const crowd = await Promise.all(Array.from({ length: 12 }, (_, seed) => sample(seed)));
      assert.equal(crowd[7], alone);
      assert.equal(new Set(crowd).size, 12);
      const unseeded = await Promise.all([sample(undefined), sample(undefined)]);
      assert.notEqual(unseeded[0], unseeded[1]);
    }));
});

test('generations of one turn of the event loop start together', () =>
  withGenerator(engine, 't5', async (model) => {
    const all = Array.from({ length: 8 }, () => model.generate(input, short).result);
    for (const { timings } of await Promise.all(all)) assert.equal(timings.batchRequests, 8);
    const { rows, steps } = model.stats();
    // The encoder runs once more for all of them.
    assert.deepEqual([rows, steps], [48, 5]);
  }));

test('the statistics count generations, tokens, steps and memory', () =>
  withGenerator(engine, 't5', async (model) => {
    await Promise.all([1, 2, 3].map(() => model.generate(input, short).result));
    const stats = model.stats();
    assert.deepEqual(
      [stats.submitted, stats.completed, stats.queued, stats.running, stats.cancelled],
      [3, 3, 0, 0, 0],
    );
    assert.deepEqual([stats.tokens, stats.promptTokens, stats.steps], [15, 3 * input.length, 5]);
    assert.equal(stats.cacheBytes, 0);
    assert.equal(stats.cacheBytesLimit, 2 ** 30);
    assert.ok(stats.cacheBytesPeak > 0 && stats.cacheBytesPeak < 2 ** 20);
    assert.equal(stats.queue.count, 3);
    assert.ok(stats.stepsWithoutCopies > 0);
    assert.ok(Math.abs(stats.lastRunAt - Date.now()) < 60_000);
  }));

test('the signature says what the files show', () =>
  withGenerator(
    engine,
    't5',
    ({ signature, device, digest, name }) => {
      const { cacheBytesPerToken, ...rest } = signature;
      assert.deepEqual(rest, {
        encoderDecoder: true,
        vocabulary: 640,
        maxPositions: 512,
        mixedLengths: rest.mixedLengths,
      });
      assert.ok(cacheBytesPerToken > 0);
      assert.deepEqual([device, name], ['cpu', 't5']);
      assert.match(digest, /^[0-9a-f]{64}$/);
    },
    { maxPositions: 512 },
  ));
