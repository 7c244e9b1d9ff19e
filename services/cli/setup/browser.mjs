/** @module Chromium for the tests of pages, on machines that do not have it. Nothing is installed. */
import fs from 'node:fs';
import path from 'node:path';
import { state } from './command.mjs';
import { unpackPrograms } from './debian.mjs';

const browser = path.join(state, 'browser');

/** Whether one of the folders, which are laid out like the top folder of a system, has the browser. */
export const hasBrowser = () =>
  ['/', browser].some((top) => fs.existsSync(path.join(top, 'usr/lib/chromium/chromium')));

export const unpackBrowser = (label) =>
  unpackPrograms(
    label,
    ['chromium'],
    // What draws on a screen or says something on a desktop; a page without a window needs neither.
    /^(?:libllvm|libz3|libgl1-mesa|mesa|adwaita|xdg|notification|dbus|systemd|fonts)/,
    browser,
    'go online, or install the Debian package chromium',
  );
