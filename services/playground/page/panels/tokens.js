import { h, note } from '../dom.js';

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Tokens',
  description: 'What a model sees of a text.',
  tasks: [
    ...['feature-extraction', 'text-classification', 'token-classification', 'rerank'],
    ...['zero-shot-classification', 'text2text-generation', 'text-generation'],
  ],
  fields: [
    {
      name: 'text',
      label: 'Text',
      type: 'text',
      value: 'Tokenizers cut unfamiliar words into pieces.',
    },
    { name: 'add_special_tokens', label: 'With special tokens', type: 'check', value: true },
  ],
  empty: 'No model with a tokenizer is served.',
  ask: ({ text, add_special_tokens }, model) => ({
    path: '/tokenize',
    body: { text, add_special_tokens, model },
  }),
  show({ tokens = [], ids = [] }) {
    if (ids.length === 0) return note('The text has no tokens.');
    const items = ids.map((/** @type {number} */ id, /** @type {number} */ i) =>
      h('li', {}, h('code', {}, tokens[i] ?? ''), ' ', h('small', {}, String(id))),
    );
    return h('div', {}, h('ol', { class: 'tokens' }, ...items), note(`${ids.length} tokens.`));
  },
};
