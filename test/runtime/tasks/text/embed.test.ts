/** @module Vectors of texts, compared with SentenceTransformer.encode. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { PoolMode } from '../../../../native/index.ts';
import { type EmbedInput, embed } from '../../../../runtime/tasks/text/embed.ts';
import { assertNear, type Models, openModels, referenceOf, refused, textsOf } from './support.ts';

const NAMES = ['mpnet-embed', 'bert-embed'];
const TOLERANCE = 1e-5;

interface Reference {
  readonly window: number;
  readonly dimensions: number;
  readonly texts: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly cases: readonly {
    readonly options: {
      readonly normalize_embeddings?: boolean;
      readonly truncate_dim?: number;
      readonly prompt_name?: string;
    };
    readonly embeddings: readonly (readonly number[])[];
  }[];
  readonly pooling: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly stride: number;
  readonly windows: readonly { readonly index: number; readonly embedding: readonly number[] }[];
}

let models: Models;
before(async () => {
  models = await openModels([...NAMES, 'bert-sentiment']);
});
after(() => models[Symbol.asyncDispose]());

/** The vectors of all texts. */
async function vectorsOf(name: string, texts: readonly string[], options: Partial<EmbedInput>) {
  const output = await models.ask(embed, name, { ...textsOf(texts), ...options });
  const { data, dimensions, rows, usage } = output;
  assert.equal(rows, texts.length);
  const vectors = texts.map((_, i) => data.subarray(i * dimensions, (i + 1) * dimensions));
  return { vectors, usage, dimensions };
}

for (const name of NAMES) {
  describe(name, () => {
    const { window, dimensions, texts, cases, stride, windows, pooling } =
      referenceOf<Reference>(name);
    const all = texts.map(({ text }) => text);

    for (const { options, embeddings } of cases) {
      test(`has the vectors of encode with ${JSON.stringify(options)}`, async () => {
        const { normalize_embeddings, truncate_dim, prompt_name } = options;
        assert.equal(models.model(name).window, window);
        // A model that normalises does so before the vectors are cut, so that here they are normalised once more.
        const isCut = truncate_dim !== undefined;
        const { vectors } = await vectorsOf(name, all, {
          truncate: true,
          promptName: prompt_name,
          dimensions: truncate_dim,
          ...(normalize_embeddings && { normalize: true }),
        });
        const isNormal = models.model(name).embedding!.normalize;
        for (const [i, vector] of vectors.entries()) {
          const expected = embeddings[i]!;
          const length = isCut && isNormal ? Math.hypot(...expected) : 1;
          assertNear(
            vector,
            expected.map((value) => value / length),
            TOLERANCE,
            `${i}`,
          );
        }
      });
    }

    test('has the numbers of tokens that the model reads', async () => {
      const { usage, dimensions: size } = await vectorsOf(name, all, { truncate: true });
      assert.equal(size, dimensions);
      assert.equal(
        usage.tokens,
        texts.reduce((sum, { ids }) => sum + ids.length, 0),
      );
    });

    for (const [mode, embeddings] of Object.entries(pooling)) {
      test(`pools by ${mode}`, async () => {
        const { vectors } = await vectorsOf(name, all, {
          pooling: mode as PoolMode,
          truncate: true,
        });
        for (const [i, vector] of vectors.entries()) {
          assertNear(vector, embeddings[i]!, TOLERANCE, `${i}`);
        }
      });
    }

    test('has the mean of the windows of longer texts, normalised last', async () => {
      const { vectors, usage } = await vectorsOf(name, all, { stride });
      for (const { index, embedding } of windows) {
        assertNear(vectors[index]!, embedding, TOLERANCE, `${index}`);
      }
      assert.equal(usage.truncated, 0);
    });

    test('answers the texts of a list as each alone, in any order', async () => {
      const order = fc.shuffledSubarray([...all.keys()], { minLength: 1 });
      await fc.assert(
        fc.asyncProperty(order, async (places) => {
          const some = places.map((i) => all[i]!);
          const { vectors } = await vectorsOf(name, some, {});
          for (const [i, text] of some.entries()) {
            const alone = await vectorsOf(name, [text], {});
            assertNear(vectors[i]!, alone.vectors[0]!, 1e-6, text);
          }
        }),
        { numRuns: 10 },
      );
    });
  });
}

describe('vectors', () => {
  test('have the length 1 if that is asked for', async () => {
    for (const name of NAMES) {
      const { vectors } = await vectorsOf(name, ['Hello', ''], { normalize: true, dimensions: 5 });
      for (const vector of vectors) assertNear([Math.hypot(...vector)], [1], 1e-6);
      const plain = await vectorsOf(name, ['Hello'], { normalize: false });
      assert.ok(Math.abs(Math.hypot(...plain.vectors[0]!) - 1) > 0.01);
    }
  });

  test('have the prompt in every window of a long text', async () => {
    const name = 'bert-embed';
    const long = 'The train to the coast leaves at seven. '.repeat(12);
    const [plain, prompted] = await Promise.all([
      vectorsOf(name, [long], { stride: 0 }),
      vectorsOf(name, [long], { stride: 0, promptName: 'query' }),
    ]);
    const { tokenizer, embedding } = models.model(name);
    const [prompt] = await tokenizer.encode([embedding!.prompts.query!], {
      addSpecialTokens: false,
    });
    const windows = (tokens: number) => Math.ceil(tokens / models.model(name).window);
    const { usage } = prompted;
    assert.ok(usage.tokens >= plain.usage.tokens + windows(usage.tokens) * prompt!.length);
  });

  for (const [what, name, options, code, message] of [
    ['more dimensions', 'bert-embed', { dimensions: 25 }, 'INVALID_ARGUMENT', /is 25.* have 24/],
    [
      'an unknown prompt',
      'bert-embed',
      { promptName: 'x' },
      'INVALID_ARGUMENT',
      /"x".*it has query/,
    ],
    ['a prompt', 'mpnet-embed', { promptName: 'x' }, 'INVALID_ARGUMENT', /"x"/],
    ['a classifier', 'bert-sentiment', {}, 'WRONG_TASK', /does not embed/],
  ] as const) {
    test(`are refused for ${what} of ${name}`, async () => {
      await assert.rejects(vectorsOf(name, ['a'], options), refused(code, message));
    });
  }
});
