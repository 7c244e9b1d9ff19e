/** @module How long the thread of a request is occupied at a time by texts: CPU time of the longest turn of its event loop. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { embed } from '../../../runtime/tasks/text/embed.ts';
import { entities } from '../../../runtime/tasks/text/entities.ts';
import { sentiment } from '../../../runtime/tasks/text/sentiment.ts';
import { tokenize } from '../../../runtime/tasks/text/tokenize.ts';
import { openTokenizers } from '../../../runtime/text/tokenizer/index.ts';
import { temporaryFiles } from '../../support/files.ts';
import { type Models, openModels, textsOf } from '../tasks/text/support.ts';

/**
 * A turn may take 4 ms on an idle machine. CPU time doubles if other work shares the cores and their caches, and several short
 * turns count as one if the timer is late, which it is more on Deno.
 */
const LIMIT_MS = 'Deno' in globalThis ? 16 : 12;
/** The median of this many counts, because the first ones run code that is not compiled yet. */
const TIMES = 7;

const cpuMs = () => Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6;

/** The longest turn that some work takes. */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let last = cpuMs();
  let longest = 0;
  const look = () => {
    longest = Math.max(longest, cpuMs() - last);
    last = cpuMs();
  };
  const timer = setInterval(look, 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  longest = 0;
  last = cpuMs();
  await work();
  // The last turn ends when the next one begins.
  await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(timer);
  return longest;
}

async function check(t: TestContext, work: () => Promise<unknown>): Promise<void> {
  const turns: number[] = [];
  while (turns.length < TIMES) turns.push(await longestTurn(work));
  turns.sort((a, b) => a - b);
  t.diagnostic(`${turns.map((turn) => turn.toFixed(1)).join(', ')} ms`);
  const median = turns[TIMES >> 1]!;
  assert.ok(median < LIMIT_MS, `a turn took ${median.toFixed(1)} ms`);
}

const SENTENCE =
  'The train to the coast leaves at seven in the morning, and Maria Lopez is on it. ';
/** 1,000 texts of about 128 tokens in a usual vocabulary. */
const MANY = Array.from({ length: 1000 }, (_, i) => `${i} ${SENTENCE.repeat(6)}`);
/** About 90,000 tokens in the vocabulary of the fixtures. */
const LONG = SENTENCE.repeat(2600);
const TOO_LONG = SENTENCE.repeat(12_900);

describe('the thread of a request is not occupied for long by', () => {
  let models: Models;
  before(async () => {
    models = await openModels(['bert-ner', 'bert-sentiment', 'mpnet-embed']);
  });
  after(() => models[Symbol.asyncDispose]());

  test('a tokenizer of 250,000 tokens that is loaded', async (t) => {
    const file = JSON.parse(readFileSync('test/fixtures/text/xlmr-rerank/tokenizer.json', 'utf8'));
    const vocab = [...file.model.vocab];
    while (vocab.length < 250_000) vocab.push([`▁word${vocab.length}`, -20]);
    using folder = temporaryFiles({});
    const large = path.join(folder.path, 'tokenizer.json');
    writeFileSync(large, JSON.stringify({ ...file, model: { ...file.model, vocab } }));
    const tokenizers = openTokenizers();
    await check(t, async () => {
      const tokenizer = await tokenizers.load({ path: large });
      await tokenizer.close();
    });
    await tokenizers.close();
  });

  for (const [what, texts] of [
    ['1,000 texts', MANY],
    ['a text of 90,000 tokens', [LONG]],
    ['a text of 1 MiB', [TOO_LONG]],
  ] as const) {
    test(`the tokens of ${what}`, async (t) => {
      const { tokenizer, window } = models.model('bert-sentiment');
      const options = { window, offsets: true, maxTokens: 200_000 };
      await check(t, () => tokenizer.encode(texts, options).catch(() => {}));
    });
  }

  const SOME = MANY.map((text) => text.slice(0, 120));
  for (const [what, work] of [
    ['the sentiment of 1,000 texts', () => models.ask(sentiment, 'bert-sentiment', textsOf(SOME))],
    [
      'the sentiment of a long text',
      () => models.ask(sentiment, 'bert-sentiment', textsOf([LONG])),
    ],
    ['the entities of a long text', () => models.ask(entities, 'bert-ner', textsOf([LONG]))],
    ['the vectors of 1,000 texts', () => models.ask(embed, 'mpnet-embed', textsOf(SOME))],
    ['the vector of a long text', () => models.ask(embed, 'mpnet-embed', textsOf([LONG]))],
    [
      'the tokens of a long text as a response',
      () => models.ask(tokenize, 'bert-ner', textsOf([LONG])),
    ],
  ] as const) {
    test(what, async (t) => {
      await check(t, work);
    });
  }
});
