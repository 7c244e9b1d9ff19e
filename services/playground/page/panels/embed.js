import { h, note } from '../dom.js';
import { similarityTable } from '../similarity.js';

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Similarity',
  description: 'How similar the meanings of texts are: the cosine of their embeddings.',
  tasks: ['feature-extraction'],
  fields: [
    {
      ...{ name: 'texts', label: 'Texts, one a line', type: 'lines', rows: 6 },
      value:
        'A man is eating food.\nA man eats something.\nThe girl carries a baby.\nQuantum computers use qubits.',
    },
  ],
  empty:
    'No model for embeddings is served. Put a folder with a model of sentence-transformers into the model repository.',
  ask: ({ texts }, model) => ({ path: '/embed', body: { texts, model } }),
  show({ embeddings, dimensions }, { texts }) {
    const scroll = similarityTable('Cosine of each pair of texts', texts, embeddings);
    return h('div', {}, scroll, note(`Vectors of ${dimensions} numbers.`));
  },
};
