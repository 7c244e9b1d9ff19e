/**
 * @module Starts Workers that end in the way named, two at a time, while the main thread uses the
 * same models and checks its own results: `worker-cycles.fixture.ts NAME TIMES`.
 */
import assert from 'node:assert/strict';
import { fixture, float32, loop, open, until } from './support.ts';
import { startWorker } from './worker.ts';

const [name = '', times = ''] = process.argv.slice(2);
const [ending, terminate] = name.split(', then ');

const engine = open();
const model = await engine.load({ path: fixture('identity-float32') });
const slow = await engine.load({ path: fixture('slow-loop') });

/**
 * Runs one Worker from its start to its end, and returns its exit code, message and error as a line. The error may
 * arrive before the message, because Node sends them on different channels, and `once` would reject with it.
 */
async function cycle(): Promise<string> {
  const worker = startWorker('worker-exit.fixture.ts', ending);
  const said: { message: unknown; error: string } = { message: 'without a message', error: '' };
  const code = new Promise((resolve) => worker.on('exit', resolve));
  worker.on('error', ({ message }: Error) => {
    said.error = ` ${message}`;
  });
  const spoken = new Promise<void>((resolve) => {
    worker.on('message', (message) => {
      said.message = message;
      resolve();
    });
  });
  await Promise.race([spoken, code]);
  if (terminate !== undefined) await worker.terminate();
  return `exit ${await code} ${said.message}${said.error}`;
}

let left = Number(times);
let working = true;

async function cycles(): Promise<void> {
  while (left-- > 0) console.log(await cycle());
}

async function work(): Promise<void> {
  for (let index = 0; working; index++) {
    const x = float32([index, -index, 0.5]);
    assert.deepEqual((await model.run({ x })).outputs.y, x);
    await loop(slow, 10);
  }
}

const worked = work();
await Promise.all([cycles(), cycles()]);
working = false;
await worked;
// Each request of the Workers ends, too. This may take a moment, because Deno's Workers may submit some after `exit`.
await until(() => {
  const { cancelled, completed, expired, failed, submitted } = slow.stats();
  return submitted === cancelled + completed + expired + failed;
});
await engine.close();
