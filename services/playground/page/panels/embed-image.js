import { h, note, number } from '../dom.js';
import { cosine, similarityTable } from '../similarity.js';
import { formFields, sideBySide } from '../view.js';

/** @param {readonly import('../panel.js').Answer[]} answers */
function differences(answers) {
  const [first, second] = answers.map(({ json: { embeddings } }) =>
    embeddings.flatMap((/** @type {number[]} */ a, /** @type {number} */ i) =>
      embeddings.slice(0, i).map((/** @type {number[]} */ b) => cosine(a, b)),
    ),
  );
  if (second === undefined || first.length === 0) return undefined;
  const gaps = first.map((/** @type {number} */ value, /** @type {number} */ i) =>
    Math.abs(value - second[i]),
  );
  return note(`Largest difference of a pair: ${number(Math.max(...gaps))}.`);
}

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Similar pictures',
  description: 'How similar pictures are: the cosine of their embeddings.',
  tasks: ['image-feature-extraction'],
  fields: [
    {
      ...{ name: 'images', label: 'Pictures', type: 'pictures' },
      help: 'Two or more; they can also be dropped or pasted.',
    },
  ],
  empty:
    'No model for embeddings of images is served. Put a folder with such a model from Hugging Face into the model repository.',
  ask: ({ images }, _model, choice) => ({
    path: '/embed-image',
    form: formFields(images, {}, choice),
  }),
  view(answers, { images }) {
    const names = images.map((/** @type {File} */ { name }) => name);
    const parts = answers.map(({ json: { embeddings, dimensions } }) => [
      similarityTable('Cosine of each pair of pictures', names, embeddings),
      note(`Vectors of ${dimensions} numbers.`),
    ]);
    return h('div', {}, sideBySide(answers, parts), differences(answers));
  },
};
