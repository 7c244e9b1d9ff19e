/** The table of how similar things are: the cosine of their embeddings. */

import { h } from './dom.js';

/**
 * @param {readonly number[]} a
 * @param {readonly number[]} b
 */
export function cosine(a, b) {
  const dot = (/** @type {readonly number[]} */ x, /** @type {readonly number[]} */ y) =>
    x.reduce((sum, value, i) => sum + value * /** @type {number} */ (y[i]), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** @param {string} text */
const short = (text) => (text.length > 40 ? `${text.slice(0, 39)}…` : text);

/**
 * @param {string} caption
 * @param {readonly string[]} names
 * @param {readonly (readonly number[])[]} embeddings
 */
export function similarityTable(caption, names, embeddings) {
  const head = names.map((name, i) => h('th', { scope: 'col', title: name }, String(i + 1)));
  const rows = names.map((name, row) => {
    const cells = embeddings.map((other) => {
      const value = cosine(/** @type {readonly number[]} */ (embeddings[row]), other);
      const cell = h('td', { class: 'heat' }, value.toFixed(2));
      cell.style.setProperty('--heat', `${Math.round(Math.max(value, 0) * 40)}%`);
      return cell;
    });
    const title = h('th', { scope: 'row', title: name }, `${row + 1} ${short(name)}`);
    return h('tr', {}, title, ...cells);
  });
  const table = h(
    'table',
    { class: 'heatmap' },
    h('caption', { class: 'hidden' }, caption),
    h('thead', {}, h('tr', {}, h('td', {}), ...head)),
    h('tbody', {}, ...rows),
  );
  return h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Similarity' },
    table,
  );
}
