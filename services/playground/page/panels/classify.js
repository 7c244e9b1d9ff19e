import { bars, h, note, number } from '../dom.js';
import { formFields, sideBySide } from '../view.js';

/** @param {readonly import('../panel.js').Answer[]} answers */
function differences([first, second]) {
  if (second === undefined) return undefined;
  const [a, b] = [first, second].map((answer) => answer?.json.predictions ?? []);
  const others = new Map(b.map((/** @type {any} */ each) => [each.class, each.confidence]));
  const best =
    a[0]?.class === b[0]?.class
      ? 'Both name the same class first.'
      : 'They name different classes first.';
  const shared = a.filter((/** @type {any} */ each) => others.has(each.class));
  const gap = (/** @type {any} */ each) =>
    Math.abs(each.confidence - Number(others.get(each.class)));
  const [most] = shared.toSorted((/** @type {any} */ x, /** @type {any} */ y) => gap(y) - gap(x));
  const largest =
    most === undefined
      ? 'No class is in both lists.'
      : `Largest difference of a class in both lists: ${number(gap(most))} (${most.class}).`;
  const alone = a.length + b.length - 2 * shared.length;
  return note(`${best} ${largest} In one list only: ${alone}.`);
}

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Classes',
  description: 'What a picture shows, and how likely each class is.',
  tasks: ['image-classification'],
  fields: [
    { name: 'image', label: 'Picture', type: 'picture', help: 'It can also be dropped or pasted.' },
    { name: 'top_k', label: 'Most classes', type: 'number', min: 1, max: 1000, value: 5 },
  ],
  empty:
    'No model that classifies images is served. Put a folder with an image classifier from Hugging Face into the model repository.',
  ask: ({ image, top_k }, _model, choice) => ({
    path: '/classify',
    form: formFields(image, { top_k }, choice),
  }),
  view(answers) {
    const parts = answers.map(({ json: { predictions } }) => {
      if (predictions.length === 0) return [note('No class is likely enough.')];
      const rows = predictions.map((/** @type {any} */ each) => [each.class, each.confidence]);
      return [h('p', { class: 'answer' }, predictions[0].class), bars(rows)];
    });
    return h('div', {}, sideBySide(answers, parts), differences(answers));
  },
};
