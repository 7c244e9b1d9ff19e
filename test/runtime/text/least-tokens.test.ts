/** @module How many tokens a text has at least: never more than it has, and enough to refuse long texts without encoding them. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { openTokenizers } from '../../../runtime/text/tokenizer/index.ts';
import { divisionOf, leastTokens } from '../../../runtime/text/tokenizer/least-tokens.ts';
import { assertBelow, processMs } from '../../support/below.ts';

const tokenizers = openTokenizers();
after(() => tokenizers.close());

const SENTENCE = 'The train to the coast leaves at 7, and the 日本 guests are on it. ';
const LIMIT = 100_000;
/** CPU time in which a text is refused without a look at its tokens, milliseconds: those of 100,000 take 60 to 100 ms. */
const MOST_MS = 20;

const PIECES = [
  ..." |  |\n|\t|\u00a0|\u200b|\0|a|Train|7|1a|é|ß|İ|я|日|的日|각|。|!|##|'s|(a|,|=|=\u0338|\u0301".split(
    '|',
  ),
  ...'▁|▁a|[MASK]|[UNK]|<s>|</s>|<mask>|👩‍🚀|ﷺ'.split('|'),
];

for (const name of [
  'tokens/wordpiece.json',
  'tokens/bpe.json',
  'tokens/unigram.json',
  'tokens/byte-fallback.json',
  'xlmr-rerank/tokenizer.json',
  't5/tokenizer.json',
  'marian/tokenizer.json',
  'deberta-ner/tokenizer.json',
  'llama/tokenizer.json',
]) {
  describe(name, () => {
    const load = () => tokenizers.load({ path: `test/fixtures/text/${name}` });

    test('no text is refused that has as many tokens as allowed', async () => {
      const tokenizer = await load();
      const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 60 });
      await fc.assert(
        fc.asyncProperty(text, fc.boolean(), async (pieces, splitSpecialTokens) => {
          const texts = [pieces.join('')];
          const [encoded] = await tokenizer.encode(texts, { splitSpecialTokens });
          tokenizer.checkLength(texts, encoded!.length);
        }),
      );
      await tokenizer.close();
    });
  });
}

for (const name of ['tokens/wordpiece.json', 'tokens/bpe.json', 't5/tokenizer.json']) {
  test(`${name}: sentences of 1 MiB are refused at once`, async () => {
    const tokenizer = await tokenizers.load({ path: `test/fixtures/text/${name}` });
    for (const texts of [
      [SENTENCE.repeat(15_000)],
      Array.from({ length: 1000 }, (_, i) => `${i} ${SENTENCE.repeat(15)}`),
    ]) {
      const refuse = () =>
        assert.rejects(tokenizer.encode(texts, { window: 512, maxTokens: LIMIT }), {
          code: 'PAYLOAD_TOO_LARGE',
        });
      await assertBelow(MOST_MS, 5, () => processMs(refuse));
    }
    await tokenizer.close();
  });
}

test('a text whose words have several tokens is refused only if there are too many', async () => {
  const tokenizer = await tokenizers.load({ path: 'test/fixtures/text/tokens/wordpiece.json' });
  // Fewer words and marks than tokens are allowed, so that those of the words have to be counted.
  const text = 'qzkvxjw/'.repeat(LIMIT / 2 - 20_000);
  await assert.rejects(tokenizer.encode([text], { maxTokens: LIMIT }), {
    code: 'PAYLOAD_TOO_LARGE',
  });
  const whole = await tokenizer.encode([text]);
  await tokenizer.encode([text], { maxTokens: whole[0]!.length });
  await tokenizer.close();
});

test('counts words after spaces, and ideographs, where they are divided', () => {
  const text = 'The 日本 (guests) are\non it, 7 of 9';
  const count = (words: boolean, ideographs: boolean, marks = '') =>
    leastTokens(text, { words, ideographs, marks });
  assert.equal(count(true, true), 8);
  assert.equal(count(true, false), 6);
  assert.equal(count(false, true), 2);
  assert.equal(count(false, false), 0);
  assert.equal(count(true, true, '(,'), 11);
});

test('knows what the parts of a tokenizer divide', () => {
  const bert = { type: 'BertNormalizer', handle_chinese_chars: true };
  const divides = (preTokenizer: unknown, normalizer: unknown = null, added: string[] = []) => {
    const { words, ideographs, marks } = divisionOf(normalizer, preTokenizer, added);
    return [words, ideographs, marks.length];
  };
  assert.deepEqual(divides({ type: 'BertPreTokenizer' }, bert), [true, true, 32]);
  const keeps = { ...bert, handle_chinese_chars: false };
  assert.deepEqual(divides({ type: 'BertPreTokenizer' }, keeps), [true, false, 32]);
  const composing = { type: 'Sequence', normalizers: [{ type: 'NFC' }, bert] };
  assert.deepEqual(divides({ type: 'BertPreTokenizer' }, composing), [true, false, 0]);
  const several = { type: 'Sequence', pretokenizers: [{ type: 'Digits' }, { type: 'Metaspace' }] };
  assert.deepEqual(divides(several, bert), [true, false, 0]);
  for (const joins of [
    null,
    { type: 'Metaspace', split: false },
    { type: 'ByteLevel', use_regex: false },
    { type: 'Split' },
  ]) {
    assert.deepEqual(divides(joins), [false, false, 0]);
  }
  assert.deepEqual(divides({ type: 'BertPreTokenizer' }, bert, ['New York']), [false, true, 0]);
  assert.deepEqual(divides({ type: 'BertPreTokenizer' }, bert, ['東京']), [true, false, 32]);
  assert.deepEqual(divides({ type: 'BertPreTokenizer' }, bert, ['[MASK]']), [true, true, 30]);
});
