/**
 * @module A Worker that generates text; its data says how it ends. It posts a message once its work is in flight, or
 * what came of it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { casesOf, filesOf, input, unending } from './generators.ts';
import { open } from './support.ts';

const ready = () => parentPort!.postMessage('ready');

/** Starts some generations, and returns the engine once the first of them streams. */
async function begin() {
  const engine = open();
  const model = await engine.loadGenerator(filesOf('t5'));
  const [first] = [1, 2, 3].map(() => model.generate(input, unending));
  model.generate(input, { ...unending, stream: false, numBeams: 2 });
  await first![Symbol.asyncIterator]().next();
  return { engine, model };
}

const endings: Readonly<Record<string, () => unknown>> = {
  /** Waits until it is terminated. */
  async generate() {
    await begin();
    ready();
  },
  async exit() {
    await begin();
    ready();
    setImmediate(() => process.exit(3));
  },
  async throw() {
    await begin();
    ready();
    setImmediate(() => {
      throw new Error('on purpose');
    });
  },
  loading() {
    for (const maxQueue of [1, 2, 3]) open().loadGenerator({ ...filesOf('t5'), maxQueue });
    ready();
  },
  /** Generates what is known, and posts how many generations were right. */
  async check() {
    const engine = open();
    const model = await engine.loadGenerator(filesOf('t5'));
    const all = casesOf('t5').map(async ({ inputIds, options, tokens }) => {
      const result = await model.generate(inputIds, options).result;
      return tokens.join() === result.tokens.join();
    });
    const right = (await Promise.all(all)).filter(Boolean).length;
    const { digest } = model;
    await engine.close();
    parentPort!.postMessage({ right, digest });
  },
};

endings[workerData as string]!();
