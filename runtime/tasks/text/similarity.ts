/** @module Documents in the order of their relevance for a query, by the cosines of embeddings. */

import type { EmbeddingHead } from '../../text/text-model.ts';
import { dot } from './dot.ts';
import { type EmbeddingContext, headOf, prepareEmbeddings, vectorsOf } from './embedding.ts';
import type { TextOperation } from './operation.ts';
import { checkQuery, type RerankInput, type RerankOutput, ranked } from './rerank.ts';
import { usageOf } from './usage.ts';

/** Names of the prompts for queries and for documents, as encode_query and encode_document of sentence-transformers look for them. */
const QUERY_PROMPTS = ['query'];
const DOCUMENT_PROMPTS = ['document', 'passage', 'corpus'];

interface Context {
  readonly embeddings: EmbeddingContext;
  readonly topN: number | undefined;
}

export const similarity: TextOperation<RerankInput, Context, RerankOutput> = {
  tasks: ['feature-extraction'],
  async prepare(model, input, signal) {
    checkQuery(input);
    const { query, texts, truncate, stride, topN } = input;
    const head = headOf(model);
    const groups = [
      { texts: [query], prompt: promptOf(head, QUERY_PROMPTS) },
      { texts, prompt: promptOf(head, DOCUMENT_PROMPTS) },
    ];
    const options = { truncate, stride, normalize: true };
    const { context, ...runs } = await prepareEmbeddings(model, groups, options, signal);
    return { ...runs, context: { embeddings: context, topN } };
  },
  async answer(model, results, { embeddings, topN }) {
    const { data, rows, dimensions } = await vectorsOf(model, results, embeddings);
    const vector = (row: number) => data.subarray(row * dimensions, (row + 1) * dimensions);
    const query = vector(0);
    const scores = Array.from({ length: rows - 1 }, (_, i) => dot(query, vector(i + 1)));
    const usage = usageOf(embeddings.encoded);
    return { results: ranked(scores, topN), method: 'embeddings', usage };
  },
};

function promptOf({ prompts, defaultPrompt }: EmbeddingHead, names: readonly string[]): string {
  const name = names.find((each) => Object.hasOwn(prompts, each)) ?? defaultPrompt;
  return name === undefined ? '' : (prompts[name] ?? '');
}
