import { h, note } from '../dom.js';

/**
 * @param {readonly number[]} a
 * @param {readonly number[]} b
 */
function cosine(a, b) {
  const dot = (/** @type {readonly number[]} */ x, /** @type {readonly number[]} */ y) =>
    x.reduce((sum, value, i) => sum + value * /** @type {number} */ (y[i]), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** @param {string} text */
const short = (text) => (text.length > 40 ? `${text.slice(0, 39)}…` : text);

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
    const head = texts.map((/** @type {string} */ text, /** @type {number} */ i) =>
      h('th', { scope: 'col', title: text }, String(i + 1)),
    );
    const rows = texts.map((/** @type {string} */ text, /** @type {number} */ row) => {
      const cells = embeddings.map((/** @type {number[]} */ other) => {
        const value = cosine(embeddings[row], other);
        const cell = h('td', { class: 'heat' }, value.toFixed(2));
        cell.style.setProperty('--heat', `${Math.round(Math.max(value, 0) * 40)}%`);
        return cell;
      });
      return h(
        'tr',
        {},
        h('th', { scope: 'row', title: text }, `${row + 1} ${short(text)}`),
        ...cells,
      );
    });
    const table = h(
      'table',
      { class: 'heatmap' },
      h('caption', { class: 'hidden' }, 'Cosine of each pair of texts'),
      h('thead', {}, h('tr', {}, h('td', {}), ...head)),
      h('tbody', {}, ...rows),
    );
    const scroll = h(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Similarity' },
      table,
    );
    return h('div', {}, scroll, note(`Vectors of ${dimensions} numbers.`));
  },
};
