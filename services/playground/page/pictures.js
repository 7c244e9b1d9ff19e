/** The field for pictures: they are chosen, dropped, pasted, or taken with the camera. */

import { takePicture } from './camera.js';
import { h } from './dom.js';

/** Pictures that the server takes in a request. */
export const MOST_PICTURES = 32;

/**
 * The field around its control, a native one for files, which holds the pictures wherever they come from.
 *
 * @param {HTMLInputElement} control
 * @param {HTMLElement} label
 * @param {HTMLElement | undefined} help
 */
export function picturesElement(control, label, help) {
  const previews = h('ul', { class: 'previews' });
  const said = h('p', { role: 'status', class: 'note' });
  const most = control.multiple ? MOST_PICTURES : 1;
  const say = (/** @type {string} */ text) => said.replaceChildren(text);
  const show = () => {
    const remove = (/** @type {File} */ file) => {
      set([...(control.files ?? [])].filter((each) => each !== file));
      control.focus();
    };
    previews.replaceChildren(
      ...[...(control.files ?? [])].map((file) => preview(file, () => remove(file))),
    );
  };
  /** @param {readonly File[]} files */
  const set = (files) => {
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(file);
    control.files = transfer.files;
    control.dispatchEvent(new Event('input', { bubbles: true }));
  };
  /** @param {readonly File[]} files */
  const add = (files) => {
    const pictures = files.filter(({ type }) => type === '' || type.startsWith('image/'));
    const others = files.filter((file) => !pictures.includes(file));
    if (pictures.length > 0) {
      const all = most === 1 ? pictures : [...(control.files ?? []), ...pictures];
      set(all.slice(0, most));
      const names = pictures.map(({ name }) => name).join(', ');
      say(all.length > most ? `Only ${most} fit; the others were left out.` : `Added: ${names}.`);
    }
    if (others.length > 0) say(`${others[0]?.name} is not a picture.`);
  };
  control.addEventListener('input', show);
  const camera = h(
    'button',
    {
      type: 'button',
      class: 'small',
      onclick: () => takePicture(element, (file) => add([file]), say),
    },
    'Camera',
  );
  const paste = h(
    'button',
    { type: 'button', class: 'small', onclick: () => pasteInto(add, say) },
    'Paste',
  );
  const element = h(
    'div',
    { class: 'field wide pictures' },
    label,
    h('div', { class: 'buttons' }, control, paste, camera),
    help,
    said,
    previews,
  );
  listenWhileShown(element, add);
  return element;
}

/**
 * @param {File} file
 * @param {() => void} onRemove
 */
function preview(file, onRemove) {
  const image = pictureOf(file, '');
  const size = h('small', {}, sizeOf(file));
  image.addEventListener('load', () => {
    size.textContent = `${image.naturalWidth} × ${image.naturalHeight}, ${sizeOf(file)}`;
  });
  image.addEventListener('error', () => {
    image.remove();
    size.textContent = `${sizeOf(file)}; this browser cannot show it, but the server may read it`;
  });
  return h(
    'li',
    {},
    image,
    h('span', { class: 'name' }, file.name),
    size,
    h(
      'button',
      { type: 'button', class: 'small', onclick: onRemove, 'aria-label': `Remove ${file.name}` },
      'Remove',
    ),
  );
}

/** @param {File} file */
const sizeOf = ({ size }) =>
  size < 1e6 ? `${Math.ceil(size / 1000)} kB` : `${(size / 1e6).toFixed(1)} MB`;

/**
 * An element that shows the file.
 *
 * @param {File} file
 * @param {string} alt
 */
export function pictureOf(file, alt) {
  const image = /** @type {HTMLImageElement} */ (h('img', { alt }));
  const url = URL.createObjectURL(file);
  const release = () => URL.revokeObjectURL(url);
  image.addEventListener('load', release);
  image.addEventListener('error', release);
  image.src = url;
  return image;
}

/**
 * Takes what is dropped or pasted anywhere on the page, until another panel is open.
 *
 * @param {HTMLElement} element
 * @param {(files: readonly File[]) => void} add
 */
function listenWhileShown(element, add) {
  /**
   * @param {string} type
   * @param {(event: any) => void} listener
   */
  const listen = (type, listener) => {
    const guarded = (/** @type {Event} */ event) => {
      if (element.isConnected) listener(event);
      else document.removeEventListener(type, guarded);
    };
    document.addEventListener(type, guarded);
  };
  listen('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // Text goes where the cursor is.
    if (files.length === 0) return;
    event.preventDefault();
    add(files);
  });
  const hasFiles = (/** @type {DragEvent} */ { dataTransfer }) =>
    dataTransfer?.types.includes('Files') === true;
  listen('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    element.classList.add('over');
  });
  listen('dragleave', () => element.classList.remove('over'));
  listen('drop', (event) => {
    if (!hasFiles(event)) return;
    // Otherwise the browser would leave the page, and open the file.
    event.preventDefault();
    element.classList.remove('over');
    add([...event.dataTransfer.files]);
  });
}

/**
 * @param {(files: readonly File[]) => void} add
 * @param {(text: string) => void} say
 */
async function pasteInto(add, say) {
  try {
    const files = [];
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((each) => each.startsWith('image/'));
      if (type === undefined) continue;
      files.push(new File([await item.getType(type)], `pasted.${type.slice(6)}`, { type }));
    }
    if (files.length === 0) say('There is no picture in the clipboard.');
    else add(files);
  } catch {
    say('The browser does not let this button read the clipboard; press Ctrl + V or ⌘ V instead.');
  }
}
