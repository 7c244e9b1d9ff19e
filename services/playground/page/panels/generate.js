import { note } from '../dom.js';

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Generate',
  description: 'Text that a model writes after a prompt, as it is written.',
  tasks: ['text-generation', 'text2text-generation'],
  fields: [
    { name: 'text_input', label: 'Prompt', type: 'text', value: 'Once upon a time' },
    { name: 'max_tokens', label: 'Most tokens', type: 'number', min: 1, max: 4096, value: 32 },
    {
      ...{ name: 'temperature', label: 'Temperature', type: 'number', min: 0, max: 100, step: 0.1 },
      help: 'Empty or 0 takes the most likely token.',
    },
    { name: 'seed', label: 'Seed', type: 'number', min: 0 },
  ],
  empty:
    'No model that generates text is served. Put a folder such as GPT-2 or Llama into the model repository.',
  ask: ({ text_input, ...parameters }, model) => ({
    path: `/v2/models/${encodeURIComponent(model ?? '')}/generate_stream`,
    body: { text_input, parameters },
  }),
  show: () => note('The model has written nothing.'),
};
