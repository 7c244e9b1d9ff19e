/** @module Texts of 1 MiB that are made to take long or much memory: each has its tokens, or is refused, and the thread goes on. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { ServeError } from '../../../runtime/errors.ts';
import { openTokenizers, type TextTokenizer } from '../../../runtime/text/tokenizer/index.ts';

const MIB = 2 ** 20;
const OPTIONS = { window: 512, maxTokens: 100_000 };
/** Seconds that one may take on a machine that does much else. */
const MOST_SECONDS = 20;
const MOST_BYTES = 700 * MIB;

const filled = (unit: string) => unit.repeat(Math.floor(MIB / Buffer.byteLength(unit)));

const TEXTS: Readonly<Record<string, string>> = {
  'one letter': filled('a'),
  spaces: filled(' '),
  'spaces before a letter': `${filled(' ').slice(1)}x`,
  'line breaks and spaces': filled('   \n'),
  NUL: filled('\0'),
  digits: filled('1'),
  quotes: filled("'"),
  'combining marks': `e${filled('\u0301').slice(1)}`,
  'zero-width spaces': filled('\u200b'),
  'joined emoji': filled('👨‍👩‍👧‍👦'),
  'variation selectors': filled('\ufe0f'),
  'words in one character': filled('ﷺ'),
  'directional overrides': filled('\u202e'),
  'names of special tokens': filled('[MASK]</s><mask>'),
  'Chinese without spaces': filled('的'),
  'one long word': filled('supercalifragilistic'),
};

const tokenizers = openTokenizers();
after(() => tokenizers.close());

for (const kind of ['wordpiece.json', 'bpe.json', '../xlmr-rerank/tokenizer.json']) {
  describe(kind, () => {
    let tokenizer: TextTokenizer;
    let baseBytes = 0;
    before(async () => {
      tokenizer = await tokenizers.load({ path: `test/fixtures/text/tokens/${kind}` });
      baseBytes = process.memoryUsage().rss;
    });
    after(() => tokenizer.close());

    for (const [what, text] of Object.entries(TEXTS)) {
      test(`has the tokens of ${what}, or refuses them`, async () => {
        const startedMs = performance.now();
        const result = await tokenizer.encode([text], OPTIONS).catch((error: unknown) => error);
        if (result instanceof ServeError) assert.equal(result.code, 'PAYLOAD_TOO_LARGE');
        else {
          assert.ok(Array.isArray(result), String(result));
          assert.ok(result[0].length <= OPTIONS.maxTokens);
        }
        const seconds = (performance.now() - startedMs) / 1000;
        assert.ok(seconds < MOST_SECONDS, `${seconds} s`);
      });
    }

    test('encodes an ordinary text beside them', async () => {
      const hostile = ['digits', 'quotes', 'spaces'].map((what) =>
        tokenizer.encode([TEXTS[what]!], OPTIONS).catch((error: ServeError) => error.code),
      );
      const [encoded] = await tokenizer.encode(['The train leaves.']);
      assert.ok(encoded!.length >= 4);
      await Promise.all(hostile);
    });

    test('has freed what they took', () => {
      const more = process.memoryUsage().rss - baseBytes;
      assert.ok(more < MOST_BYTES, `${Math.round(more / MIB)} MiB more`);
    });
  });
}
