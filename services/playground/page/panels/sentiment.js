import { bars, h } from '../dom.js';

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Sentiment',
  description: 'The label of a text, and how likely each label is.',
  tasks: ['text-classification'],
  fields: [
    { name: 'text', label: 'Text', type: 'text', value: 'This product is amazing!' },
    { name: 'top_k', label: 'Labels', type: 'number', min: 0, value: 0, help: '0 shows all.' },
  ],
  empty:
    'No model for sentiment is served. Put a folder with a text classifier from Hugging Face into the model repository.',
  ask: ({ text, top_k }, model) => ({
    path: '/analyze/sentiment',
    body: { text, top_k: top_k || undefined, model },
  }),
  show: ({ label, scores }) =>
    h('div', {}, h('p', { class: 'answer' }, label), bars(Object.entries(scores))),
};
