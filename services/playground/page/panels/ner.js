import { h, note, number } from '../dom.js';

/**
 * The text with a mark around each entity.
 *
 * @param {string} text
 * @param {readonly any[]} entities In the order of the text, not overlapping.
 */
function marked(text, entities) {
  const parts = [];
  let done = 0;
  for (const { start, end, label, score } of entities) {
    if (start < done) continue;
    const name = h('span', { class: 'label' }, label);
    const title = `${label}, ${number(score)}`;
    parts.push(
      text.slice(done, start),
      h('mark', { 'data-label': label, title }, text.slice(start, end), ' ', name),
    );
    done = end;
  }
  return h('p', { class: 'marked' }, ...parts, text.slice(done));
}

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Entities',
  description: 'The names in a text: persons, organizations, places.',
  tasks: ['token-classification'],
  fields: [
    {
      ...{ name: 'text', label: 'Text', type: 'text' },
      value: 'Apple Inc. is located in Cupertino, California.',
    },
    {
      ...{ name: 'aggregation', label: 'Aggregation', type: 'choice', value: 'simple' },
      options: ['simple', 'first', 'average', 'max', 'none'],
    },
    { name: 'threshold', label: 'Threshold', type: 'number', min: 0, max: 1, step: 0.05, value: 0 },
  ],
  empty:
    'No model for entities is served. Put a folder with a token classifier from Hugging Face into the model repository.',
  ask: ({ text, aggregation, threshold }, model) => ({
    path: '/analyze/ner',
    body: { text, aggregation, threshold, model },
  }),
  show({ entities }, { text }) {
    if (entities.length === 0) return note('There are no entities in the text.');
    const rows = entities.map((/** @type {any} */ { text: name, label, score }) =>
      h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}, label), h('td', {}, number(score))),
    );
    const head = ['Entity', 'Label', 'Score'].map((title) => h('th', { scope: 'col' }, title));
    const table = h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...rows));
    return h('div', {}, marked(text, entities), table);
  },
};
