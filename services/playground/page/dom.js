/** Elements of the page. */

/**
 * Makes an element.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] Attributes, or listeners by names such as `onclick`. Those that are false or
 * undefined are left out.
 * @param {...(Node | string | undefined)} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), /** @type {any} */ (value));
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** @param {string} text */
export const note = (text) => h('p', { class: 'note' }, text);

/**
 * A bar for each value from 0 to 1, with its name and its number.
 *
 * @param {readonly (readonly [name: string, value: number])[]} rows
 */
export function bars(rows) {
  const body = rows.map(([name, value]) => {
    const bar = h('span', { class: 'bar', 'aria-hidden': 'true' }, h('span', {}));
    const width = Math.min(Math.max(value, 0), 1) * 100;
    /** @type {HTMLElement} */ (bar.firstChild).style.width = `${width}%`;
    return h(
      'tr',
      {},
      h('th', { scope: 'row' }, name),
      h('td', {}, bar),
      h('td', {}, number(value)),
    );
  });
  const head = ['Label', 'Bar', 'Score'].map((title) => h('th', { scope: 'col' }, title));
  const caption = h('caption', { class: 'hidden' }, 'Scores');
  return h(
    'table',
    { class: 'bars' },
    caption,
    h('thead', { class: 'hidden' }, h('tr', {}, ...head)),
    h('tbody', {}, ...body),
  );
}

/** @param {number} value */
export const number = (value) => value.toFixed(3);
