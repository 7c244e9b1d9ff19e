/** The playground: the list of panels, and the one that is open. */

import { h, note } from './dom.js';
import { openPanel } from './panel.js';

const main = /** @type {HTMLElement} */ (document.getElementById('main'));
const list = /** @type {HTMLElement} */ (document.getElementById('panels'));

/** @param {string} path */
async function read(path) {
  const response = await fetch(path);
  return response.json();
}

async function start() {
  const [{ title, panels: names }, { models }] = await Promise.all([
    read('/playground/panels.json'),
    read('/playground/models.json'),
  ]);
  document.title = `Playground – ${title}`;
  /** @type {HTMLElement} */ (document.getElementById('service')).textContent = title;
  const panels = await Promise.all(
    names.map(async (/** @type {string} */ name) => {
      const { panel } = await import(`/playground/panels/${name}.js`);
      return [name, panel];
    }),
  );
  const byName = new Map(panels);
  list.replaceChildren(
    ...panels.map(([name, { title: label }]) =>
      h('li', {}, h('a', { href: `#${name}`, id: `to-${name}` }, label)),
    ),
  );
  const show = () => {
    const name = location.hash.slice(1);
    const chosen = byName.has(name) ? name : panels[0]?.[0];
    for (const link of list.querySelectorAll('a')) {
      if (link.id === `to-${chosen}`) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    openPanel(main, byName.get(chosen), models);
  };
  addEventListener('hashchange', () => {
    if (location.hash !== '#main') show();
  });
  show();
}

start().catch((error) => {
  main.replaceChildren(note(`The playground could not be loaded: ${error.message}`));
});
