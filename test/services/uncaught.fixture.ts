/** @module Throws the errors whose codes are its arguments, outside of any call, and prints `alive` afterwards. */
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, parentThread, startThread } from '../../runtime/index.ts';
import { handleUncaught } from '../../services/uncaught.ts';

handleUncaught(createLog('info'));
const [mode, ...codes] = (parentThread()?.data as string[] | undefined) ?? process.argv.slice(2);
if (mode === 'thread') {
  const thread = startThread(new URL(import.meta.url), ['throw', ...codes]);
  await thread.ended;
  console.log('the main thread goes on');
} else {
  for (const code of codes) {
    const error = Object.assign(new Error(`it has the code ${code}`), { code });
    if (mode === 'throw')
      queueMicrotask(() => {
        throw error;
      });
    else void Promise.reject(error);
    await sleep(1);
  }
  console.log('alive');
}
