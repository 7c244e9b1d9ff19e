import { bars } from '../dom.js';

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Zero-shot labels',
  description: 'How well labels of your choice fit a text.',
  tasks: ['zero-shot-classification'],
  fields: [
    {
      name: 'text',
      label: 'Text',
      type: 'text',
      value: 'The team won the match in the last minute.',
    },
    {
      name: 'labels',
      label: 'Labels, one a line',
      type: 'lines',
      value: 'sport\npolitics\nweather',
    },
    { name: 'multi_label', label: 'Several labels may hold', type: 'check' },
  ],
  empty:
    'No model for zero-shot classification is served. Put a folder with a model of natural language inference into the model repository.',
  ask: ({ text, labels, multi_label }, model) => ({
    path: '/analyze/zero-shot',
    body: { text, labels, multi_label, model },
  }),
  show: ({ labels }) => bars(labels.map((/** @type {any} */ { label, score }) => [label, score])),
};
