/** @module Text of tokens that arrive one after another. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { cleanUpSpaces } from '../../../runtime/text/tokenizer/clean-up-spaces.ts';
import { openTokenizers } from '../../../runtime/text/tokenizer/index.ts';
import { DecodedStream } from '../../../runtime/text/tokenizer/text-stream.ts';

const FIXTURES = 'test/fixtures/text';
const TEXTS = [
  'The train to the coast leaves at seven in the morning.',
  'I love this place 😀👍🏽, it is the best café in town! 👨‍👩‍👧‍👦 Really.',
  '火车早上七点出发，中午以前到达海边。',
  'הרכבת יוצאת בשבע בבוקר',
  '  two  spaces,\n\ttabs and "quotes" ‘’“” \ufffd end',
];

const tokenizers = openTokenizers();
after(() => tokenizers.close());

describe('a stream of tokens', () => {
  for (const [kind, cleanUpSpaces] of [
    ['bert-sentiment', true],
    ['bert-sentiment', false],
    ['gpt2', false],
    ['llama', false],
    ['t5', false],
  ] as const) {
    const about = cleanUpSpaces ? ', without spaces before punctuation' : '';
    test(`has the text that ${kind} decodes${about}, in pieces of any length`, async () => {
      const path = `${FIXTURES}/${kind}/tokenizer.json`;
      const tokenizer = await tokenizers.load({ path, cleanUpSpaces });
      const piece = fc.integer({ min: 1, max: 5 });
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom(...TEXTS), { minLength: 1, maxLength: 3 }),
          fc.infiniteStream(piece),
          async (texts, sizes) => {
            const [encoded] = await tokenizer.encode([texts.join(' ')]);
            const { ids } = encoded!.windows[0]!;
            const stream = tokenizer.stream();
            let text = '';
            for (let from = 0; from < ids.length; ) {
              const to = from + sizes.next().value!;
              const delta = await stream.push(ids.subarray(from, to));
              assert.ok(!delta.endsWith('\ufffd'));
              text += delta;
              from = to;
            }
            text += await stream.end();
            assert.equal(text, await tokenizer.decode(ids));
            assert.equal(await stream.end(), '');
          },
        ),
        { numRuns: 10 },
      );
      await tokenizer.close();
    });
  }

  for (const kind of ['gpt2', 'llama', 't5'] as const) {
    test(`has the text that ${kind} decodes of any tokens, whose bytes may be no characters`, async () => {
      const tokenizer = await tokenizers.load({ path: `${FIXTURES}/${kind}/tokenizer.json` });
      const ids = fc.array(fc.integer({ min: 3, max: 300 }), { minLength: 1, maxLength: 24 });
      await fc.assert(
        fc.asyncProperty(ids, async (tokens) => {
          const stream = tokenizer.stream();
          let text = '';
          for (const id of tokens) text += await stream.push([id]);
          text += await stream.end();
          assert.equal(text, await tokenizer.decode(tokens));
        }),
        { numRuns: 60 },
      );
      await tokenizer.close();
    });
  }

  test('returns text as soon as it is complete', async () => {
    const tokenizer = await tokenizers.load({ path: `${FIXTURES}/gpt2/tokenizer.json` });
    const [encoded] = await tokenizer.encode(['Hello 😀 there']);
    const stream = tokenizer.stream();
    const deltas: string[] = [];
    for (const id of encoded!.windows[0]!.ids) deltas.push(await stream.push([id]));
    assert.equal(deltas.join(''), 'Hello 😀 there');
    assert.ok(deltas.includes(''));
    assert.ok(deltas.some((delta) => delta.includes('😀')));
    await tokenizer.close();
  });

  test('keeps the order of pieces that are pushed at once', async () => {
    let turn = 0;
    const decode = async (lists: readonly (readonly number[])[]) => {
      turn += 1;
      await new Promise((resolve) => setTimeout(resolve, turn === 1 ? 5 : 0));
      return lists.map((ids) => String.fromCharCode(...ids));
    };
    const stream = new DecodedStream(decode, false);
    const pushed = ['ab', 'c', 'de'].map((text) =>
      stream.push(Array.from(text, (each) => each.charCodeAt(0))),
    );
    assert.deepEqual(await Promise.all(pushed), ['ab', 'c', 'de']);
  });

  test('goes on after an error', async () => {
    let fails = true;
    const stream = new DecodedStream(async (lists) => {
      if (fails) throw new Error('no');
      return lists.map((ids) => String.fromCharCode(...ids));
    }, false);
    await assert.rejects(stream.push([65]));
    fails = false;
    assert.equal(await stream.push([66]), 'AB');
  });
});

test('spaces before punctuation are removed as transformers does', () => {
  assert.equal(
    cleanUpSpaces("do n't go , Mary 's here . I 'm fine , they 've left ! ' yes ' we 're ?"),
    "don't go, Mary's here. I'm fine, they've left!'yes'we're?",
  );
});
