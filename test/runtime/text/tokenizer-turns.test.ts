/** @module How long the thread of a request is occupied at a time by texts: CPU time of the longest turn of its event loop. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { embed } from '../../../runtime/tasks/text/embed.ts';
import { entities } from '../../../runtime/tasks/text/entities.ts';
import { sentiment } from '../../../runtime/tasks/text/sentiment.ts';
import { tokenize } from '../../../runtime/tasks/text/tokenize.ts';
import { openTokenizers } from '../../../runtime/text/tokenizer/index.ts';
import { temporaryFiles } from '../../support/files.ts';
import { checkTurns } from '../../support/turns.ts';
import { type Models, openModels, textsOf } from '../tasks/text/support.ts';

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
    await checkTurns(t, async () => {
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
      await checkTurns(t, () => tokenizer.encode(texts, options).catch(() => {}));
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
      await checkTurns(t, work);
    });
  }
});
