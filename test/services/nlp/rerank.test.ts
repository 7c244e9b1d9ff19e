/** @module Reranking with a cross-encoder and with embeddings, in each form. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type NlpService, openNlp } from './support.ts';

interface Reranked {
  readonly results: readonly {
    readonly index: number;
    readonly relevance_score: number;
    readonly document?: unknown;
  }[];
  readonly method: string;
}

const QUERY = 'Where is the weather fine?';
const DOCUMENTS = ['Ada met Grace.', 'The weather is fine in Paris.', '', 'It rained in London.'];
const BODY = { query: QUERY, documents: DOCUMENTS };

let service: NlpService;
before(async () => {
  service = await openNlp({ embedder: 'mpnet-embed', reranker: 'xlmr-rerank' });
});
after(() => service[Symbol.asyncDispose]());

const rerank = (body: object) => service.ask<Reranked>('/rerank', body);

function assertFalling(scores: readonly number[]): void {
  assert.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a),
  );
}

describe('POST /rerank', () => {
  test('asks the cross-encoder, if there is one', async () => {
    const { results, method, ...about } = await rerank(BODY);
    assert.equal(method, 'cross-encoder');
    assert.deepEqual(results.map(({ index }) => index).toSorted(), [0, 1, 2, 3]);
    assertFalling(results.map((each) => each.relevance_score));
    for (const each of results) {
      assert.ok(each.relevance_score > 0 && each.relevance_score < 1);
      assert.ok(!('document' in each));
    }
    const names = ['model_version', 'inference_time_ms', 'request_id', 'usage'];
    assert.deepEqual(Object.keys(about), names);
  });

  test('compares embeddings, if the model makes them', async () => {
    const body = { ...BODY, query: DOCUMENTS[1], model: 'embedder' };
    const { results, method } = await rerank(body);
    assert.equal(method, 'embeddings');
    assert.equal(results[0]!.index, 1);
    assert.ok(Math.abs(results[0]!.relevance_score - 1) < 1e-5);
    assertFalling(results.map((each) => each.relevance_score));
  });

  test('has the top_n best, with their documents if they are asked for', async () => {
    const { results: all } = await rerank(BODY);
    const { results } = await rerank({ ...BODY, top_n: 2, return_documents: true });
    assert.deepEqual(
      results.map(({ index }) => index),
      all.slice(0, 2).map(({ index }) => index),
    );
    for (const { index, document } of results) assert.equal(document, DOCUMENTS[index]);
    assert.equal((await rerank({ ...BODY, top_n: 100 })).results.length, 4);
  });

  test('has the form of text-embeddings-inference for texts', async () => {
    const { results } = await rerank(BODY);
    const body = { query: QUERY, texts: DOCUMENTS };
    const ranked = await service.ask<{ index: number; score: number; text?: string }[]>('/rerank', {
      ...body,
      return_text: true,
    });
    assert.deepEqual(
      ranked,
      results.map(({ index, relevance_score: score }) => ({
        ...{ index, score },
        text: DOCUMENTS[index],
      })),
    );
    const raw = await service.ask<typeof ranked>('/rerank', { ...body, raw_scores: true });
    for (const [i, { index, score, ...rest }] of raw.entries()) {
      assert.deepEqual(rest, {});
      assert.equal(index, ranked[i]!.index);
      assert.ok(Math.abs(1 / (1 + Math.exp(-score)) - ranked[i]!.score) < 1e-5);
    }
  });
});

test('POST /v1/rerank has the form of Cohere and Jina', async () => {
  interface V1 extends Reranked {
    readonly id: string;
    readonly object: string;
    readonly model: string;
    readonly usage: { readonly total_tokens: number };
  }
  const { results: wanted } = await rerank({ ...BODY, top_n: 3 });
  const documents = DOCUMENTS.map((text, i) => (i % 2 === 0 ? text : { text, title: 'a' }));
  const body = { model: 'reranker', query: QUERY, documents, top_n: 3, return_documents: true };
  const { id, object, model, results, usage } = await service.ask<V1>('/v1/rerank', body);
  assert.match(id, /^req_/);
  assert.deepEqual([object, model], ['list', 'reranker']);
  assert.ok(usage.total_tokens > 20);
  assert.deepEqual(
    results,
    wanted.map((each) => ({ ...each, document: { text: DOCUMENTS[each.index] } })),
  );
});
