import { bars, h } from '../dom.js';

/** @param {string} value */
const toJson = (value) => {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Prediction',
  description: 'What a classifier or a regressor says about a row of features.',
  tasks: ['classification', 'regression', 'raw'],
  fields: [],
  empty: 'No model of rows of features is served. Put one into the model repository.',
  // A form made from the model's signature: a field for each feature of a list, otherwise JSON.
  async more({ row = [], features = [] }) {
    if (!Array.isArray(row) || row.length === 0 || row.length > 32) {
      const help = 'A list of values, or an object of values by the names of the inputs.';
      const value = JSON.stringify(row);
      return [{ name: 'features', label: 'Features', type: 'text', value, help }];
    }
    return row.map((value, i) => ({
      name: `feature-${i}`,
      label: features[i] ?? `Feature ${i + 1}`,
      type: /** @type {const} */ ('line'),
      value: typeof value === 'string' ? value : JSON.stringify(value),
    }));
  },
  ask({ features, ...fields }, model) {
    const row = features === undefined ? Object.values(fields).map(toJson) : toJson(features);
    return { path: '/predict', body: { features: row, model } };
  },
  show({ prediction, confidence }) {
    const answer = h('p', { class: 'answer' }, [prediction].flat().join(', '));
    return confidence === undefined
      ? answer
      : h('div', {}, answer, bars([[String(prediction), Number(confidence)]]));
  },
};
