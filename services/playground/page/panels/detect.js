import { chooseBoxes, pairBoxes } from '../boxes.js';
import { h, note, number } from '../dom.js';
import { boxesOf } from '../models.js';
import {
  ClassToggles,
  css,
  figureOf,
  formFields,
  Palette,
  quiet,
  sideBySide,
  slider,
  table,
} from '../view.js';

/** @typedef {import('../boxes.js').Detection} Detection */

/** What a request asks for, so that sliders have something to choose from. */
const LOWEST = 0.05;
const MOST = 3000;
/** Boxes that are drawn, and listed, at most. */
const DRAWN = 300;

/**
 * @param {HTMLElement} layer
 * @param {readonly Detection[]} detections
 * @param {{ width: number, height: number }} image
 * @param {Palette} palette
 */
function draw(layer, detections, image, palette) {
  const boxes = detections.map(({ box, class: name, confidence }) => {
    const label = h('span', {}, `${name} ${confidence.toFixed(2)}`);
    const element = h('div', { class: 'box', 'data-class': name }, label);
    const { style } = element;
    style.left = `${(100 * box.x) / image.width}%`;
    style.top = `${(100 * box.y) / image.height}%`;
    style.width = `${(100 * box.width) / image.width}%`;
    style.height = `${(100 * box.height) / image.height}%`;
    style.setProperty('--color', css(palette.color(name)));
    // A label above a box at the upper edge would be outside the picture.
    if (box.y < image.height / 20) element.classList.add('low');
    if (box.x > image.width / 2) element.classList.add('right');
    return element;
  });
  // The best are drawn last, over the others.
  layer.replaceChildren(...boxes.toReversed());
}

/** @param {readonly Detection[]} detections */
const listed = (detections) =>
  table(
    'Boxes',
    ['Class', 'Confidence', 'Left, top', 'Size'],
    detections.map(({ box, class: name, confidence }) => [
      ...[name, number(confidence), `${Math.round(box.x)}, ${Math.round(box.y)}`],
      `${Math.round(box.width)} × ${Math.round(box.height)}`,
    ]),
  );

/**
 * @param {readonly Detection[]} first
 * @param {readonly Detection[]} second
 * @param {readonly string[]} names
 */
function differences(first, second, names) {
  const { pairs, onlyFirst, onlySecond } = pairBoxes(first, second);
  const gap = (/** @type {[Detection, Detection]} */ [a, b]) =>
    Math.abs(a.confidence - b.confidence);
  const [most] = pairs.toSorted((a, b) => gap(b) - gap(a));
  const largest =
    most === undefined
      ? ''
      : ` Their largest difference of confidence is ${number(gap(most))} (${most[0].class}).`;
  return `Boxes of both at the same place: ${pairs.length}. Only of ${names[0]}: ${onlyFirst.length}. Only of ${names[1]}: ${onlySecond.length}.${largest}`;
}

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Objects',
  description: 'The things in a picture, and where they are.',
  tasks: ['object-detection', 'image-segmentation'],
  needsBoxes: true,
  fields: [
    { name: 'image', label: 'Picture', type: 'picture', help: 'It can also be dropped or pasted.' },
  ],
  empty:
    'No model that detects objects is served. Put a YOLO model, or a folder with a detector from Hugging Face, into the model repository.',
  ask: ({ image }, _model, choice) => ({
    path: '/detect',
    form: formFields(
      image,
      // The page leaves out boxes for others, so the server does not.
      { threshold: Math.min(boxesOf(choice).threshold, LOWEST), iou: 1, max_detections: MOST },
      choice,
    ),
  }),
  view(answers, { image: [file] }, say) {
    const defaults = answers.map(({ choice, json }) => boxesOf(choice, json.model_version));
    const ious = defaults.flatMap(({ iou }) => (iou === undefined ? [] : [iou]));
    const [{ threshold: start } = { threshold: LOWEST }] = defaults;
    let threshold = start;
    let iou = ious[0];
    const sides = answers.map(({ json }) => {
      const layer = h('div', { class: 'layer' });
      const list = h('div', {});
      return { json, layer, list, parts: [figureOf(file, json.image, layer), list] };
    });
    const compared = note('');
    const palette = new Palette(answers.flatMap(({ json }) => json.detections));
    const toggles = new ClassToggles(palette, () => refresh());
    const refresh = () => {
      const left = sides.map(({ json: { detections } }, i) =>
        chooseBoxes(detections, threshold, defaults[i]?.iou === undefined ? undefined : iou),
      );
      toggles.count(left.flat());
      const shown = left.map((each) => each.filter((one) => toggles.shows(one)));
      for (const [i, { json, layer, list }] of sides.entries()) {
        const drawn = shown[i]?.slice(0, DRAWN) ?? [];
        draw(layer, drawn, json.image, palette);
        list.replaceChildren(drawn.length === 0 ? note('No box is shown.') : listed(drawn));
      }
      const counts = sides.map(({ json: { detections } }, i) => {
        const all = shown[i]?.length ?? 0;
        const best = all > DRAWN ? `the best ${DRAWN} of ` : '';
        return `${best}${all} of ${detections.length} boxes`;
      });
      say(`Shown: ${counts.join('; ')}.`);
      const [first, second] = shown;
      if (first !== undefined && second !== undefined) {
        const names = answers.map(({ choice }) => choice.label);
        compared.textContent = differences(first, second, names);
      }
    };
    const step = { min: Math.min(LOWEST, start) };
    const controls = h(
      'div',
      { class: 'fields' },
      slider({ name: 'threshold', label: 'Threshold', value: start, ...step }, (value) => {
        threshold = value;
        refresh();
      }),
      iou === undefined
        ? note('The model chooses among boxes that overlap by itself.')
        : slider({ name: 'iou', label: 'Overlap (IoU)', value: iou }, (value) => {
            iou = value;
            refresh();
          }),
    );
    refresh();
    return quiet(
      controls,
      toggles.element,
      sideBySide(
        answers,
        sides.map(({ parts }) => parts),
      ),
      answers.length > 1 ? compared : undefined,
    );
  },
};
