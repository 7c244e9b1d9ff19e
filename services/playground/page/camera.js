/** Takes a picture with the camera, where there is one. */

import { h } from './dom.js';

/** Why there is no picture, by the names of the browser's errors. */
const REASONS = new Map([
  ['NotAllowedError', 'The browser was not allowed to use the camera'],
  ['NotFoundError', 'There is no camera'],
  ['NotReadableError', 'Another program uses the camera'],
]);

/**
 * Opens a dialog with what the camera sees.
 *
 * @param {HTMLElement} parent
 * @param {(file: File) => void} onPicture
 * @param {(text: string) => void} say
 */
export async function takePicture(parent, onPicture, say) {
  const devices = navigator.mediaDevices;
  if (devices === undefined) {
    return say('Browsers give the camera only to pages over HTTPS or of localhost; choose a file.');
  }
  let stream;
  try {
    stream = await devices.getUserMedia({
      video: { facingMode: 'environment', width: { ideal: 1280 } },
    });
  } catch (error) {
    const name = /** @type {Error} */ (error).name;
    return say(`${REASONS.get(name) ?? `The camera cannot be used (${name})`}; choose a file.`);
  }
  openDialog(parent, stream, onPicture);
}

/**
 * @param {HTMLElement} parent
 * @param {MediaStream} stream
 * @param {(file: File) => void} onPicture
 */
function openDialog(parent, stream, onPicture) {
  const video = /** @type {HTMLVideoElement} */ (
    h('video', { 'aria-label': 'What the camera sees', playsinline: true })
  );
  const take = /** @type {HTMLButtonElement} */ (
    h('button', { type: 'button', disabled: true }, 'Take the picture')
  );
  const cancel = h('button', { type: 'button', onclick: () => dialog.close() }, 'Close');
  const dialog = /** @type {HTMLDialogElement} */ (
    h('dialog', { 'aria-label': 'Camera' }, video, h('div', { class: 'buttons' }, take, cancel))
  );
  const close = () => dialog.close();
  dialog.addEventListener('close', () => {
    removeEventListener('hashchange', close);
    for (const track of stream.getTracks()) track.stop();
    dialog.remove();
  });
  // Going back opens another panel, without the dialog.
  addEventListener('hashchange', close);
  video.addEventListener('playing', () => {
    take.disabled = false;
    take.focus();
  });
  take.addEventListener('click', async () => {
    const file = await photoOf(video);
    close();
    onPicture(file);
  });
  video.muted = true;
  video.srcObject = stream;
  parent.append(dialog);
  dialog.showModal();
  // A dialog that is closed before the first picture ends this with an error that says no more.
  video.play().catch(() => {});
}

/**
 * @param {HTMLVideoElement} video
 * @returns {Promise<File>}
 */
async function photoOf(video) {
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d')?.drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.92));
  return new File([/** @type {Blob} */ (blob)], 'camera.jpg', { type: 'image/jpeg' });
}
