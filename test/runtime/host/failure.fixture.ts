/** @module A server whose handler throws an error; prints what a client sees of it. */
import { currentHost, exit } from '../../../runtime/index.ts';

const listener = await currentHost().listen({
  hostname: '127.0.0.1',
  port: 0,
  setting: 'PORT',
  idleTimeoutSecs: 75,
  shared: false,
  fetch: () => {
    throw new Error('secret');
  },
});
const response = await fetch(`http://127.0.0.1:${listener.port}/`);
const shown = (await response.text()).includes('secret');
console.log(`${response.status} ${shown ? 'shown' : 'hidden'}`);
await listener.stop();
// Without this call, Bun would end with code 1.
exit(0);
