import { h } from '../dom.js';

/** @param {any} input An input of a model's metadata. */
function example({ name, datatype, shape }) {
  const sizes = shape.map((/** @type {number} */ size) => (size < 0 ? 1 : size));
  const count = sizes.reduce(
    (/** @type {number} */ all, /** @type {number} */ size) => all * size,
    1,
  );
  const value = datatype === 'BYTES' ? 'text' : datatype === 'BOOL' ? false : 0;
  return { name, datatype, shape: sizes, data: new Array(Math.min(count, 1024)).fill(value) };
}

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Tensors',
  description: 'A run of any model on tensors, in the Open Inference Protocol V2.',
  tasks: undefined,
  fields: [],
  empty: 'No model is served. Put one into the model repository.',
  async more({ name, inputs }) {
    const path = `/v2/models/${encodeURIComponent(name)}`;
    const examples = inputs ?? (await (await fetch(path)).json()).inputs.map(example);
    const value = JSON.stringify({ inputs: examples }, null, 2);
    return [{ name: 'body', label: 'Request', type: 'text', rows: 12, value }];
  },
  ask({ body = '{}' }, model) {
    const path = `/v2/models/${encodeURIComponent(model ?? '')}/infer`;
    try {
      return { path, body: JSON.parse(body) };
    } catch {
      // The server says what is wrong with it.
      return { path, body };
    }
  },
  show({ outputs }) {
    const rows = outputs.map((/** @type {any} */ { name, datatype, shape, data = [] }) => {
      const shown = data.slice(0, 32).join(', ');
      const rest = data.length > 32 ? ` … (${data.length} elements)` : '';
      return h(
        'div',
        {},
        h('dt', {}, `${name} ${datatype} [${shape.join(', ')}]`),
        h('dd', {}, shown + rest),
      );
    });
    return h('dl', {}, ...rows);
  },
};
