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
  // A form made from the model's signature: a number for each feature, or JSON if their number is open.
  async more(_form, model) {
    const { inputs } = await (await fetch(`/v2/models/${encodeURIComponent(model)}`)).json();
    const width = inputs.length === 1 ? inputs[0].shape.at(-1) : -1;
    if (width < 1 || width > 32) {
      const help = 'A list of values, or an object of values by the names of the inputs.';
      return [{ name: 'features', label: 'Features', type: 'text', value: '[]', help }];
    }
    return Array.from({ length: width }, (_, i) => ({
      ...{ name: `feature-${i}`, label: `Feature ${i + 1}`, type: /** @type {const} */ ('line') },
      value: '0',
    }));
  },
  ask(values, model) {
    const { features, ...rest } = values;
    const row = features === undefined ? Object.values(rest).map(toJson) : toJson(features);
    return { path: '/predict', body: { features: row, model } };
  },
  show({ prediction, confidence }) {
    const answer = h('p', { class: 'answer' }, [prediction].flat().join(', '));
    return confidence === undefined
      ? answer
      : h('div', {}, answer, bars([[String(prediction), Number(confidence)]]));
  },
};
