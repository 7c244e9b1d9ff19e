/** @module Tokens of texts that tokenizers of other makes get wrong, compared with those of Python's `tokenizers`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import {
  openTokenizers,
  type TextTokenizer,
  type TokenWindow,
} from '../../../runtime/text/tokenizer/index.ts';

const FOLDER = 'test/fixtures/text/tokens';

interface Whole {
  readonly ids: readonly number[];
  readonly offsets: readonly number[];
}

interface Reference {
  readonly tokenizer: string;
  readonly texts: readonly Whole[];
  readonly without_special_tokens: readonly (readonly number[])[];
  readonly pairs: readonly (Whole & {
    readonly texts: readonly [string, string];
    readonly type_ids: readonly number[];
  })[];
  readonly truncated: readonly Truncated[];
  readonly special_tokens_as_text: readonly (Whole & { readonly index: number })[];
}

interface Truncated {
  readonly texts: readonly string[];
  readonly options: {
    readonly max_length: number;
    readonly stride?: number;
    readonly direction?: 'left';
    readonly strategy?: 'longest_first' | 'only_first' | 'only_second';
  };
  readonly parts: readonly (Whole & { readonly type_ids: readonly number[] })[];
}

const read = (name: string): unknown => JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8'));
const TEXTS = read('texts.json') as readonly string[];
const tokenizers = openTokenizers();
after(() => tokenizers.close());

/** Types as those of another part: all 0 if those are. */
const typesLike = (first: readonly number[], types: readonly number[]) =>
  first.some((type) => type !== 0) ? types : types.map(() => 0);

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly normalized: boolean;
}

/** Names by id. Those of tokens that are looked for in normalised text are normalised in Python, too, and left out here. */
function namesIn(path: string): ReadonlyMap<number, string> {
  const { model, added_tokens } = JSON.parse(readFileSync(path, 'utf8'));
  const vocabulary: readonly [string, number][] = Array.isArray(model.vocab)
    ? model.vocab.map(([name]: [string, number], id: number) => [name, id])
    : Object.entries(model.vocab);
  const names = new Map(vocabulary.map(([name, id]) => [id, name]));
  for (const { id, content, normalized } of added_tokens as readonly AddedToken[]) {
    if (normalized) names.delete(id);
    else names.set(id, content);
  }
  return names;
}

const idsOf = ({ ids }: TokenWindow) => [...ids];

for (const kind of ['wordpiece', 'bpe', 'unigram', 'byte-fallback', 'precompiled']) {
  describe(`a tokenizer of the kind ${kind}`, () => {
    const reference = read(`${kind}.reference.json`) as Reference;
    const path = `${FOLDER}/${reference.tokenizer}`;
    let tokenizer: TextTokenizer;
    before(async () => {
      tokenizer = await tokenizers.load({ path });
    });
    after(() => tokenizer.close());

    test(`has the ids, names and offsets of Python for ${TEXTS.length} texts`, async () => {
      const encoded = await tokenizer.encode(TEXTS, { offsets: true });
      for (const [i, { windows, length, truncated }] of encoded.entries()) {
        const expected = reference.texts[i]!;
        const [window] = windows;
        const about = `${i}: ${JSON.stringify(TEXTS[i]!.slice(0, 80))}`;
        assert.equal(windows.length, 1);
        assert.deepEqual(idsOf(window!), expected.ids, about);
        assert.deepEqual([...window!.offsets!], expected.offsets, about);
        assert.equal(window!.own, length, about);
        assert.equal(truncated, false);
      }
    });

    test('has the ids of Python without special tokens', async () => {
      const encoded = await tokenizer.encode(TEXTS, { addSpecialTokens: false });
      for (const [i, { windows }] of encoded.entries()) {
        assert.deepEqual(idsOf(windows[0]!), reference.without_special_tokens[i]);
        assert.ok(windows[0]!.special.every((each) => each === 0));
      }
    });

    test('gives each text the same tokens alone', async () => {
      for (const [i, text] of TEXTS.entries()) {
        const [encoded] = await tokenizer.encode([text]);
        assert.deepEqual(idsOf(encoded!.windows[0]!), reference.texts[i]!.ids);
      }
    });

    test('has the ids, types and offsets of Python for pairs', async () => {
      const { pairs } = reference;
      const encoded = await tokenizer.encode(
        pairs.map(({ texts }) => texts),
        { offsets: true },
      );
      for (const [i, { windows }] of encoded.entries()) {
        const { ids, type_ids, offsets } = pairs[i]!;
        assert.deepEqual(idsOf(windows[0]!), ids);
        assert.deepEqual([...windows[0]!.typeIds], type_ids);
        assert.deepEqual([...windows[0]!.offsets!], offsets);
      }
    });

    test('cuts and divides texts and pairs as Python does', async () => {
      for (const { texts, options, parts } of reference.truncated) {
        const { max_length, stride, direction, strategy } = options;
        // Python counts windows from the end if they are cut on the left, which is only done without windows here.
        const windows = direction === undefined && stride !== undefined;
        const cutting = await tokenizers.load({
          path,
          ...(direction !== undefined && { truncationSide: direction }),
        });
        const [first, second] = texts;
        const text = second === undefined ? first! : ([first!, second] as const);
        const [encoded] = await cutting.encode([text], {
          window: max_length,
          overflow: windows ? 'windows' : 'cut',
          pairs: strategy ?? 'longest_first',
          offsets: true,
          ...(stride !== undefined && { stride }),
        });
        // Python leaves the types of further parts as they are without special tokens, which models do not know.
        const types = parts[0]!.type_ids;
        const expected = windows
          ? parts.map((part) => ({ ...part, type_ids: typesLike(types, part.type_ids) }))
          : parts.slice(0, 1);
        assert.deepEqual(
          encoded!.windows.map(({ ids, typeIds, offsets }) => ({
            ids: [...ids],
            type_ids: [...typeIds],
            offsets: [...offsets!],
          })),
          expected,
          JSON.stringify(options),
        );
        assert.equal(encoded!.truncated, !windows && parts.length > 1);
        await cutting.close();
      }
    });

    test('reads names of special tokens as text if it is asked to', async () => {
      const { special_tokens_as_text: special } = reference;
      const texts = special.map(({ index }) => TEXTS[index]!);
      const options = { addSpecialTokens: false, splitSpecialTokens: true, offsets: true };
      const encoded = await tokenizer.encode(texts, options);
      for (const [i, { windows }] of encoded.entries()) {
        assert.deepEqual(idsOf(windows[0]!), special[i]!.ids, texts[i]!);
        assert.deepEqual([...windows[0]!.offsets!], special[i]!.offsets);
      }
    });

    test('knows the names of its tokens', async () => {
      const known = namesIn(path);
      const names = await tokenizer.namesOf([...known.keys()]);
      assert.deepEqual(names, [...known.values()]);
      assert.deepEqual(await tokenizer.namesOf([-1, 1e9]), ['', '']);
      const [name] = await tokenizer.namesOf([7]);
      assert.equal(await tokenizer.idOf(name!), 7);
      assert.equal(await tokenizer.idOf('no such token'), undefined);
    });

    test('streams text as it decodes it', async () => {
      for (const { ids } of reference.texts.filter((_, i) => i % 7 === 0)) {
        const stream = tokenizer.stream();
        let text = '';
        for (const id of ids) text += await stream.push([id]);
        text += await stream.end();
        assert.equal(text, await tokenizer.decode(ids));
      }
    });
  });
}

test('a tokenizer that lowers case has the tokens of the small letters', async () => {
  const path = `${FOLDER}/${(read('bpe.reference.json') as Reference).tokenizer}`;
  const usual = await tokenizers.load({ path });
  const lowers = await tokenizers.load({ path, lowersCase: true });
  const [text, prefix] = ['The TRAIN leaves ÀT Seven', 'Query: '];
  const of = async (from: TextTokenizer, text: string, prefix: string) =>
    (await from.encode([text, [text, prefix]], { prefix })).map(({ windows }) =>
      idsOf(windows[0]!),
    );
  const expected = await of(usual, text.toLowerCase(), prefix.toLowerCase());
  assert.deepEqual(await of(lowers, text, prefix), expected);
  assert.notDeepEqual(await of(usual, text, prefix), expected);
  await Promise.all([usual.close(), lowers.close()]);
});
