/** The controls of a panel's form. */

import { h } from './dom.js';
import { picturesElement } from './pictures.js';

/**
 * One value of a request.
 *
 * @typedef {{
 *   name: string,
 *   label: string,
 *   type: 'text' | 'lines' | 'line' | 'number' | 'choice' | 'check' | 'picture' | 'pictures',
 *   value?: string | number | boolean,
 *   options?: readonly string[],
 *   min?: number,
 *   max?: number,
 *   step?: number | 'any',
 *   rows?: number,
 *   help?: string,
 * }} Field
 */

/**
 * @param {Field} field
 * @returns {HTMLElement}
 */
export function fieldElement(field) {
  const id = `field-${field.name}`;
  const helpId = field.help === undefined ? undefined : `${id}-help`;
  const control = controlOf(field, { id, name: field.name, 'aria-describedby': helpId });
  const label = h('label', { for: id }, field.label);
  const help = field.help === undefined ? undefined : h('small', { id: helpId }, field.help);
  if (control instanceof HTMLInputElement && control.type === 'file') {
    return picturesElement(control, label, help);
  }
  const isCheck = field.type === 'check';
  const wide = field.type === 'text' || field.type === 'lines' || field.type === 'line';
  return h(
    'div',
    { class: `field${wide ? ' wide' : ''}${isCheck ? ' check' : ''}` },
    ...(isCheck ? [control, label] : [label, control]),
    help,
  );
}

/**
 * @param {Field} field
 * @param {Record<string, unknown>} attributes
 */
function controlOf({ type, value = '', options = [], min, max, step, rows = 4 }, attributes) {
  if (type === 'text' || type === 'lines') {
    return h('textarea', { ...attributes, rows, spellcheck: 'false' }, String(value));
  }
  if (type === 'choice') {
    const choices = options.map((each) =>
      h('option', { value: each, selected: each === value }, each),
    );
    return h('select', attributes, ...choices);
  }
  if (type === 'check') {
    return h('input', { ...attributes, type: 'checkbox', checked: value === true });
  }
  if (type === 'picture' || type === 'pictures') {
    const multiple = type === 'pictures';
    return h('input', { ...attributes, type: 'file', accept: 'image/*', required: true, multiple });
  }
  if (type === 'line') return h('input', { ...attributes, type: 'text', value });
  return h('input', { ...attributes, type: 'number', min, max, step: step ?? 1, value });
}

/**
 * The values of the form by name. A number that is left empty is undefined, and pictures are lists of files.
 *
 * @param {HTMLFormElement} form
 * @param {readonly Field[]} fields
 * @returns {Record<string, any>}
 */
export function valuesOf(form, fields) {
  return Object.fromEntries(
    fields.map(({ name, type }) => {
      const control = /** @type {any} */ (form.elements.namedItem(name));
      if (type === 'check') return [name, control.checked];
      if (type === 'picture' || type === 'pictures') return [name, [...control.files]];
      const { value } = control;
      if (type === 'number') return [name, value === '' ? undefined : Number(value)];
      if (type === 'lines') return [name, linesOf(value)];
      return [name, value];
    }),
  );
}

/** @param {string} text */
const linesOf = (text) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
