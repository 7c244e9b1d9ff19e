import { h, number } from '../dom.js';

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Rerank',
  description: 'Documents in the order of how well they answer a question.',
  tasks: ['rerank', 'feature-extraction'],
  fields: [
    { name: 'query', label: 'Question', type: 'line', value: 'What is the capital of France?' },
    {
      ...{ name: 'documents', label: 'Documents, one a line', type: 'lines', rows: 5 },
      value:
        'Paris is the capital of France.\nBerlin has a television tower.\nThe train to the coast leaves at seven.',
    },
  ],
  empty:
    'No model for reranking is served. Put a folder with a cross-encoder, or with an embedding model, into the model repository.',
  ask: ({ query, documents }, model) => ({ path: '/rerank', body: { query, documents, model } }),
  show({ results }, { documents }) {
    const items = results.map((/** @type {any} */ { index, relevance_score }) =>
      h('li', {}, documents[index], ' ', h('span', { class: 'label' }, number(relevance_score))),
    );
    return h('ol', {}, ...items);
  },
};
