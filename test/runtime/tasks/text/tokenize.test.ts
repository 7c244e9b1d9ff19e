/** @module The tokens of texts as the route shows them. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type TokenizeInput, tokenize } from '../../../../runtime/tasks/text/tokenize.ts';
import { type Models, openModels, refused, textsOf } from './support.ts';

const TEXTS = ['Hello 👍🏽 there, naïve café!', '', '火车早上七点出发', 'a\u0000b [MASK] <s>'];

let models: Models;
before(async () => {
  models = await openModels(['bert-sentiment', 'roberta-nli', 'xlmr-rerank']);
});
after(() => models[Symbol.asyncDispose]());

const ask = (name: string, options: Partial<TokenizeInput> = {}) =>
  models.ask(tokenize, name, { ...textsOf(TEXTS), ...options });

describe('tokens', () => {
  for (const name of ['bert-sentiment', 'roberta-nli', 'xlmr-rerank']) {
    test(`of ${name} are what the model sees`, async () => {
      const { tokenizer } = models.model(name);
      const { results, usage } = await ask(name);
      const encoded = await tokenizer.encode(TEXTS);
      let count = 0;
      for (const [i, { ids, tokens, offsets }] of results.entries()) {
        assert.deepEqual(ids, [...encoded[i]!.windows[0]!.ids]);
        assert.deepEqual(tokens, await tokenizer.namesOf(ids));
        assert.equal(offsets.length, ids.length);
        count += ids.length;
        for (const [start, end] of offsets) {
          assert.ok(start <= end && end <= TEXTS[i]!.length);
          assert.ok(TEXTS[i]!.slice(start, end).isWellFormed());
        }
      }
      assert.deepEqual(usage, { tokens: count, truncated: 0 });
    });
  }

  test('have places in UTF-16', async () => {
    const { results } = await ask('bert-sentiment', { addSpecialTokens: false });
    const { tokens, offsets } = results[0]!;
    const at = tokens.findIndex((name) => name.startsWith('there') || name.startsWith('the'));
    assert.equal(TEXTS[0]!.indexOf('there'), offsets[at]![0]);
  });

  test('have no special ones if that is asked for', async () => {
    const { results } = await ask('bert-sentiment', { addSpecialTokens: false });
    assert.deepEqual(results[1], { ids: [], tokens: [], offsets: [] });
  });

  test('of names of special tokens are those, or ordinary ones', async () => {
    const masked = await ask('bert-sentiment');
    assert.ok(masked.results[3]!.tokens.includes('[MASK]'));
    const split = await ask('bert-sentiment', { splitSpecialTokens: true });
    assert.ok(!split.results[3]!.tokens.includes('[MASK]'));
  });

  test('are not cut to the window', async () => {
    const text = 'word '.repeat(2000);
    const input = textsOf([text]);
    const { results } = await models.ask(tokenize, 'bert-sentiment', input);
    assert.ok(results[0]!.ids.length > 2000);
  });

  test('are 100,000 at most', async () => {
    const input = textsOf(['. '.repeat(100_001)]);
    await assert.rejects(
      models.ask(tokenize, 'bert-sentiment', input),
      refused('PAYLOAD_TOO_LARGE', /more than 100000 tokens/),
    );
  });
});
