/** What the panels of pictures show of a response: pictures side by side, and controls that act without another request. */

import { h } from './dom.js';
import { pictureOf } from './pictures.js';

/** Colours of classes, which are far apart from each other, and the same in all pictures of a response. */
export class Palette {
  /** @type {Map<string, number>} */
  #places = new Map();

  /** @param {readonly { class: string }[]} things The most important first. */
  constructor(things) {
    for (const { class: name } of things) {
      if (!this.#places.has(name)) this.#places.set(name, this.#places.size);
    }
  }

  /**
   * @param {string} name
   * @param {number} [turn] Tells things of one class apart.
   * @returns {[number, number, number]} Red, green and blue to 255, bright enough to carry dark text.
   */
  color(name, turn = 0) {
    // The golden angle keeps any number of hues apart.
    const hue = (210 + (this.#places.get(name) ?? 0) * 137.5 + turn * 47) % 360;
    const channel = (/** @type {number} */ n) => {
      const k = (n + hue / 30) % 12;
      return Math.round(255 * (0.72 - 0.26 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
    };
    return [channel(0), channel(8), channel(4)];
  }
}

/** @param {readonly number[]} color */
export const css = (color) => `rgb(${color.join(' ')})`;

/**
 * The picture with a layer over it. It has the proportions of the image also where the browser cannot show the file.
 *
 * @param {File} file
 * @param {{ width: number, height: number }} size
 * @param {HTMLElement} layer
 */
export function figureOf(file, { width, height }, layer) {
  const image = pictureOf(file, file.name);
  image.addEventListener('error', () => {
    image.alt = `${file.name}, which this browser cannot show`;
  });
  const frame = h('div', { class: 'frame' }, image, layer);
  frame.style.aspectRatio = `${width} / ${height}`;
  layer.setAttribute('aria-hidden', 'true');
  return h('figure', {}, frame);
}

/**
 * The answers side by side, each under the name of its model if there are two.
 *
 * @param {readonly import('./panel.js').Answer[]} answers
 * @param {readonly (readonly Node[])[]} parts Of each.
 */
export const sideBySide = (answers, parts) =>
  h(
    'div',
    { class: 'sides' },
    ...answers.map(({ choice }, i) =>
      h('div', {}, ...(answers.length > 1 ? [h('h3', {}, choice.label)] : []), ...(parts[i] ?? [])),
    ),
  );

/**
 * The picture of an answer under its heading, with what controls change. The region that announces responses does not announce
 * that.
 *
 * @param {...(Node | undefined)} children
 */
export const quiet = (...children) => h('div', { 'aria-live': 'off' }, ...children);

/**
 * A slider from 0 to 1.
 *
 * @param {{ name: string, label: string, value: number, min?: number, step?: number, help?: string }} slider
 * @param {(value: number) => void} onChange
 */
export function slider({ name, label, value, min = 0, step = 0.01, help }, onChange) {
  const id = `view-${name}`;
  const output = h('output', { for: id }, value.toFixed(2));
  const helpId = help === undefined ? undefined : `${id}-help`;
  const attributes = { id, type: 'range', min, max: 1, step, value, 'aria-describedby': helpId };
  const control = /** @type {HTMLInputElement} */ (h('input', attributes));
  control.addEventListener('input', () => {
    output.textContent = control.valueAsNumber.toFixed(2);
    onChange(control.valueAsNumber);
  });
  const text = help === undefined ? undefined : h('small', { id: helpId }, help);
  return h('div', { class: 'field' }, h('label', { for: id }, label), control, output, text);
}

/** A check box for each class that is there, with its count. */
export class ClassToggles {
  /** Classes that are switched off, also while no box of theirs is there. */
  #off = new Set();
  /** @type {Map<string, { element: HTMLElement, count: HTMLElement }>} */
  #rows = new Map();

  /**
   * @param {Palette} palette
   * @param {() => void} onChange
   */
  constructor(palette, onChange) {
    this.palette = palette;
    this.onChange = onChange;
    this.list = h('div', { class: 'toggles' });
    this.element = h('fieldset', {}, h('legend', {}, 'Classes'), this.list);
  }

  /** @param {{ class: string }} thing */
  shows({ class: name }) {
    return !this.#off.has(name);
  }

  /** @param {readonly { class: string }[]} things */
  count(things) {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const { class: name } of things) counts.set(name, (counts.get(name) ?? 0) + 1);
    for (const name of counts.keys()) if (!this.#rows.has(name)) this.#add(name);
    for (const [name, { element, count }] of this.#rows) {
      element.hidden = !counts.has(name);
      count.textContent = String(counts.get(name) ?? 0);
    }
    this.element.hidden = counts.size === 0;
  }

  /** @param {string} name */
  #add(name) {
    const box = /** @type {HTMLInputElement} */ (h('input', { type: 'checkbox', checked: true }));
    box.addEventListener('change', () => {
      if (box.checked) this.#off.delete(name);
      else this.#off.add(name);
      this.onChange();
    });
    const swatch = h('span', { class: 'swatch', 'aria-hidden': 'true' });
    swatch.style.background = css(this.palette.color(name));
    const count = h('small', {});
    const element = h('label', { 'data-class': name }, box, swatch, name, ' ', count);
    this.#rows.set(name, { element, count });
    this.list.append(element);
  }
}

/**
 * A table with a heading for each column.
 *
 * @param {string} caption
 * @param {readonly string[]} titles
 * @param {readonly (readonly string[])[]} rows The first cell names its row.
 */
export function table(caption, titles, rows) {
  const head = titles.map((title) => h('th', { scope: 'col' }, title));
  const body = rows.map(([name = '', ...cells]) =>
    h('tr', {}, h('th', { scope: 'row' }, name), ...cells.map((cell) => h('td', {}, cell))),
  );
  return h(
    'table',
    {},
    h('caption', { class: 'hidden' }, caption),
    h('thead', {}, h('tr', {}, ...head)),
    h('tbody', {}, ...body),
  );
}

/**
 * The fields of a request with pictures, the options of a form that are set, and the model.
 *
 * @param {readonly File[]} files
 * @param {Record<string, any>} options
 * @param {import('./models.js').Choice} choice
 * @returns {(readonly [string, any])[]}
 */
export function formFields(files, options, { model, version }) {
  // Before a picture is chosen, the command has a name in its place.
  const pictures = files.length > 0 ? files : [new File([], 'picture.jpg')];
  return [
    ...pictures.map((file) => /** @type {const} */ (['image', file])),
    ...Object.entries({ ...options, model: model.name, model_version: version }),
  ];
}
