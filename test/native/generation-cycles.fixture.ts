/**
 * @module Starts Workers that end during generations, two at a time, while the main thread shares their generator and
 * checks its own tokens: `generation-cycles.fixture.ts NAME TIMES`.
 */
import assert from 'node:assert/strict';
import { casesOf, filesOf, idle } from './generators.ts';
import { open } from './support.ts';
import { startWorker } from './worker.ts';

const [name = '', times = ''] = process.argv.slice(2);
const [ending, terminate] = name.split(', then ');

const engine = open();
const model = await engine.loadGenerator(filesOf('t5'));
const cases = casesOf('t5').slice(0, 30);

/** Runs one Worker from its start to its end, and returns its exit code and message as a line. */
async function cycle(): Promise<string> {
  const worker = startWorker('generation-worker.fixture.ts', ending);
  const code = new Promise((resolve) => worker.on('exit', resolve));
  let said: unknown = 'without a message';
  worker.on('error', () => {});
  const spoken = new Promise<void>((resolve) => {
    worker.on('message', (message) => {
      said = message;
      resolve();
    });
  });
  await Promise.race([spoken, code]);
  if (terminate !== undefined) await worker.terminate();
  return `exit ${await code} ${said}`;
}

let left = Number(times);
let working = true;

async function cycles(): Promise<void> {
  while (left-- > 0) console.log(await cycle());
}

async function work(): Promise<void> {
  for (let index = 0; working; index++) {
    const { inputIds, options, tokens, name: title } = cases[index % cases.length]!;
    const result = await model.generate(inputIds, options).result;
    assert.deepEqual([...result.tokens], tokens, title);
  }
}

const worked = work();
await Promise.all([cycles(), cycles()]);
working = false;
await worked;
// The generations of the Workers end, too, and give their memory back.
await idle(model);
const { cancelled, completed, expired, failed, submitted, cacheBytes } = model.stats();
assert.equal(submitted, cancelled + completed + expired + failed);
assert.deepEqual([failed, expired, cacheBytes], [0, 0, 0]);
await engine.close();
