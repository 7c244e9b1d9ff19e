import { h, note, number } from '../dom.js';
import { agreement, rasterOf, rasterSize, union } from '../masks.js';
import {
  ClassToggles,
  figureOf,
  formFields,
  Palette,
  quiet,
  sideBySide,
  slider,
  table,
} from '../view.js';

/**
 * A segment on the raster of the page.
 * @typedef {{ class: string, confidence: number, area: number, pixels: Uint8Array, color: readonly number[] }} Drawn
 */

/**
 * @param {readonly any[]} segments
 * @param {Palette} palette
 * @returns {Drawn[]}
 */
function drawable(segments, palette) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  return segments.map(({ class: name, confidence, area, mask }) => {
    const turn = counts.get(name) ?? 0;
    counts.set(name, turn + 1);
    return {
      class: name,
      confidence,
      area,
      pixels: rasterOf(mask),
      color: palette.color(name, turn),
    };
  });
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {readonly Drawn[]} segments By falling confidence.
 */
function draw(canvas, segments) {
  const { width, height } = canvas;
  const image = new ImageData(width, height);
  // A pixel at once, with its red in the lowest byte, as all browsers have it.
  const words = new Uint32Array(image.data.buffer);
  // The best are drawn last, over the others.
  for (const { pixels, color } of segments.toReversed()) {
    const [red = 0, green = 0, blue = 0] = color;
    const word = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    for (let i = 0; i < pixels.length; i += 1) if (pixels[i] === 1) words[i] = word;
  }
  canvas.getContext('2d')?.putImageData(image, 0, 0);
}

/**
 * @param {readonly Drawn[]} segments
 * @param {number} pixels Of the image.
 */
const listed = (segments, pixels) =>
  table(
    'Masks',
    ['Class', 'Confidence', 'Area'],
    segments.map(({ class: name, confidence, area }) => [
      ...[name, number(confidence), `${((100 * area) / pixels).toFixed(1)} %`],
    ]),
  );

/**
 * @param {readonly Drawn[]} first
 * @param {readonly Drawn[]} second
 */
function differences(first, second) {
  const names = [...new Set([...first, ...second].map(({ class: name }) => name))];
  const rows = names.map((name) => {
    const [a, b] = [first, second].map((each) =>
      each.filter((one) => one.class === name).map(({ pixels }) => pixels),
    );
    const length = (a?.[0] ?? b?.[0])?.length ?? 0;
    return [name, number(agreement(union(a ?? [], length), union(b ?? [], length)))];
  });
  return table('Agreement of both', ['Class', 'Agreement (IoU)'], rows);
}

/** @type {import('../panel.js').Panel} */
export const panel = {
  title: 'Masks',
  description: 'The parts of a picture, to the pixel.',
  tasks: ['image-segmentation'],
  fields: [
    { name: 'image', label: 'Picture', type: 'picture', help: 'It can also be dropped or pasted.' },
    {
      ...{ name: 'threshold', label: 'Threshold', type: 'number', min: 0, max: 1, step: 0.05 },
      help: 'Empty takes that of the model.',
    },
  ],
  empty:
    'No model that segments images is served. Put a folder with such a model from Hugging Face into the model repository.',
  ask: ({ image, threshold }, _model, choice) => ({
    path: '/segment',
    form: formFields(image, { format: 'rle', threshold }, choice),
  }),
  view(answers, { image: [file] }, say) {
    const palette = new Palette(answers.flatMap(({ json }) => json.segments));
    const sides = answers.map(({ json: { segments } }) => {
      if (segments.length === 0)
        return { segments: [], pixels: 1, parts: [note('No mask is there.')] };
      const [height, width] = segments[0].mask.size;
      const canvas = /** @type {HTMLCanvasElement} */ (
        h('canvas', { class: 'layer', ...rasterSize([height, width]) })
      );
      const list = h('div', {});
      const parts = [figureOf(file, { width, height }, canvas), list];
      return { segments: drawable(segments, palette), pixels: height * width, canvas, list, parts };
    });
    const setOpacity = (/** @type {number} */ value) => {
      for (const { canvas } of sides)
        if (canvas !== undefined) canvas.style.opacity = String(value);
    };
    const toggles = new ClassToggles(palette, () => refresh());
    const refresh = () => {
      const counts = sides.map(({ segments, pixels, canvas, list }) => {
        const shown = segments.filter((one) => toggles.shows(one));
        if (canvas !== undefined) draw(canvas, shown);
        list?.replaceChildren(listed(shown, pixels));
        return `${shown.length} of ${segments.length} masks`;
      });
      say(`Shown: ${counts.join('; ')}.`);
    };
    toggles.count(sides.flatMap(({ segments }) => segments));
    const opacity = { name: 'opacity', label: 'Opacity', value: 0.6 };
    const controls = h('div', { class: 'fields' }, slider(opacity, setOpacity));
    setOpacity(opacity.value);
    refresh();
    const [first, second] = sides;
    return quiet(
      controls,
      toggles.element,
      sideBySide(
        answers,
        sides.map(({ parts }) => parts),
      ),
      first && second && differences(first.segments, second.segments),
    );
  },
};
