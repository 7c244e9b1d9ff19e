/** @module Relevance of documents, compared with CrossEncoder and the embeddings of sentence-transformers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type RerankInput, rerank } from '../../../../runtime/tasks/text/rerank.ts';
import { similarity } from '../../../../runtime/tasks/text/similarity.ts';
import { assertNear, type Models, openModels, referenceOf, refused, textsOf } from './support.ts';

const NAME = 'xlmr-rerank';
const TOLERANCE = 1e-5;

interface Reference {
  readonly texts: readonly string[];
  readonly queries: readonly {
    readonly query: string;
    readonly pairs: readonly {
      readonly ids: readonly number[];
      readonly logit: number;
      readonly score: number;
    }[];
    readonly order: readonly number[];
  }[];
}

interface Embeddings {
  readonly cases: readonly {
    readonly options: { readonly prompt_name?: string; readonly normalize_embeddings?: boolean };
    readonly embeddings: readonly (readonly number[])[];
  }[];
}

let models: Models;
before(async () => {
  models = await openModels([NAME, 'bert-embed', 'mpnet-embed', 'bert-sentiment']);
});
after(() => models[Symbol.asyncDispose]());

const documentsOf = (texts: readonly string[]) => ({
  texts,
  placeOf: (index: number) => `documents[${index}]`,
});

describe('a cross-encoder', () => {
  const { texts, queries } = referenceOf<Reference>(NAME);
  /** sentence-transformers rebuilds this tokenizer, and then keeps repeated spaces, which those of tokenizer.json become one. */
  const isComparable = (index: number) => !texts[index]!.includes('  ');
  const documents = documentsOf(texts);
  const ask = (input: Partial<RerankInput> & { readonly query: string }) =>
    models.ask(rerank, NAME, { ...documents, ...input });

  test('has the order and the scores of CrossEncoder for documents that are cut', async () => {
    for (const { query, pairs, order } of queries) {
      const { results, method, usage } = await ask({ query, truncate: true });
      assert.equal(method, 'cross-encoder');
      const compared = results.filter(({ index }) => isComparable(index));
      const expected = order.filter(isComparable);
      assert.deepEqual(
        compared.map(({ index }) => index),
        expected,
      );
      assertNear(
        compared.map(({ score }) => score),
        expected.map((index) => pairs[index]!.score),
        TOLERANCE,
        query,
      );
      assert.ok(usage.tokens <= texts.length * models.model(NAME).window);
    }
  });

  test('has the scores of the model itself', async () => {
    for (const { query, pairs } of queries) {
      const { results } = await ask({ query, truncate: true, rawScores: true });
      for (const { index, score } of results) {
        if (isComparable(index)) assertNear([score], [pairs[index]!.logit], 1e-4);
      }
    }
  });

  test('takes the best window of a long document', async () => {
    const { query } = queries[0]!;
    const filler = 'The package never arrived, and the company refused to return my money. '.repeat(
      6,
    );
    const best = 'The train to the coast leaves at seven in the morning.';
    const long = filler + best + filler;
    const { results, usage } = await ask({ query, ...documentsOf([long, best, filler]) });
    assert.equal(usage.truncated, 0);
    const scores = new Map(results.map(({ index, score }) => [index, score]));
    const cut = await ask({ query, ...documentsOf([long]), truncate: true });
    assert.equal(cut.usage.truncated, 1);
    assert.ok(scores.get(0)! >= cut.results[0]!.score);
    assert.ok(scores.get(0)! >= scores.get(2)!);
  });

  test('cuts a query that leaves no room for documents, and says so', async () => {
    const query = 'Which train to the coast leaves at seven? '.repeat(20);
    const { results, usage } = await ask({ query, ...documentsOf(['At seven.', texts[12]!]) });
    assert.equal(results.length, 2);
    assert.equal(usage.truncated, 2);
  });

  test('has as many results as are asked for', async () => {
    const { query } = queries[1]!;
    const { results: all } = await ask({ query });
    const { results } = await ask({ query, topN: 3 });
    assert.deepEqual(results, all.slice(0, 3));
  });

  test('reads each document as if it were alone', async () => {
    const { query } = queries[0]!;
    const { results } = await ask({ query });
    for (const { index, score } of results) {
      const alone = await ask({ query, ...documentsOf([texts[index]!]) });
      assertNear([alone.results[0]!.score], [score], 1e-6);
    }
  });

  test('needs one label, and texts that are well-formed', async () => {
    await assert.rejects(
      models.ask(rerank, 'bert-sentiment', { query: 'a', ...documents }),
      refused('INVALID_ARGUMENT', /3 labels/),
    );
    await assert.rejects(ask({ query: '\ud83d' }), refused('INVALID_ARGUMENT', /query has a lone/));
    const other = documentsOf(['a', '\ud83d']);
    await assert.rejects(
      ask({ query: 'a', ...other }),
      refused('INVALID_ARGUMENT', /documents\[1\] has a lone/),
    );
  });
});

describe('embeddings', () => {
  const { texts } = referenceOf<Reference>(NAME);
  /** Normalised vectors of the reference. */
  const vectorsOf = (name: string, prompt: string | undefined) => {
    const { cases } = referenceOf<Embeddings>(name);
    const found = cases.find(
      ({ options }) =>
        options.prompt_name === prompt && Object.keys(options).length === (prompt ? 1 : 0),
    );
    return found!.embeddings.map((vector) => {
      const length = Math.hypot(...vector);
      return vector.map((value) => value / length);
    });
  };
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, i) => sum + value * b[i]!, 0);

  for (const [name, prompt] of [
    ['mpnet-embed', undefined],
    ['bert-embed', 'query'],
  ] as const) {
    test(`of ${name} order documents by their cosines`, async () => {
      const queries = vectorsOf(name, prompt);
      const documents = vectorsOf(name, undefined);
      for (const [i, query] of texts.entries()) {
        const input = { query, ...documentsOf(texts), truncate: true };
        const { results, method } = await models.ask(similarity, name, input);
        assert.equal(method, 'embeddings');
        for (const [j, { index, score }] of results.entries()) {
          assertNear([score], [dot(queries[i]!, documents[index]!)], 1e-5, `${i}-${index}`);
          assert.ok(j === 0 || results[j - 1]!.score >= score);
        }
      }
    });
  }

  test('are refused for a model that has none', async () => {
    await assert.rejects(
      models.ask(similarity, NAME, { query: 'a', ...textsOf(['b']) }),
      refused('WRONG_TASK', /does not embed/),
    );
  });
});
