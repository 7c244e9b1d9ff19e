import { h, note } from '../dom.js';

const NEWS =
  'The city council voted on Monday to close the old harbour bridge for two years. Engineers had found cracks in the main supports during a routine inspection. The bridge was built in 1931. Drivers will have to use the northern tunnel, which already carries 40,000 cars a day. Shop owners near the harbour fear that they will lose customers. The weather on Monday was sunny.';

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Summary',
  description: 'A text in few sentences: chosen from it, or written by a model while you watch.',
  tasks: ['text2text-generation', 'feature-extraction'],
  fields: [
    { name: 'text', label: 'Text', type: 'text', rows: 8, value: NEWS },
    {
      name: 'sentences',
      label: 'Sentences',
      type: 'number',
      min: 1,
      max: 1000,
      help: 'Only of a chosen summary.',
    },
    {
      name: 'max_new_tokens',
      label: 'Most tokens',
      type: 'number',
      min: 1,
      max: 4096,
      help: 'Only of a written summary.',
    },
  ],
  empty:
    'No model for summaries is served. Put a folder with an embedding model, or with a model such as T5 or BART, into the model repository.',
  ask: ({ text, sentences, max_new_tokens }, model) => ({
    path: '/summarize',
    body: { text, sentences, max_new_tokens, stream: true, model },
  }),
  show({ summary, method, finish_reason, sentences = [] }, { text }) {
    if (summary === '') return note('There is nothing to summarize.');
    const how = method === 'extractive' ? 'Chosen from the text' : 'Written by the model';
    const end = finish_reason === 'length' ? ', and cut at the most tokens' : '';
    const parts = [];
    let done = 0;
    for (const { start, end: stop } of sentences) {
      parts.push(text.slice(done, start), h('mark', {}, text.slice(start, stop)));
      done = stop;
    }
    const source =
      sentences.length === 0 ? undefined : h('p', { class: 'marked' }, ...parts, text.slice(done));
    return h('div', {}, h('p', { class: 'stream' }, summary), note(`${how}${end}.`), source);
  },
};
