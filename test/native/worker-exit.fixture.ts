/** @module The ways in which a Worker can end; its data names one. It posts a message once its work is in flight. */
import { parentPort, workerData } from 'node:worker_threads';
import { busy } from './busy.ts';
import { fixture, float32, open } from './support.ts';

/** Turns of a run that outlives the Worker, in a shared instance. */
const long = 200_000;

const ready = () => parentPort!.postMessage('ready');

const endings: Readonly<Record<string, () => unknown>> = {
  /** Waits until it is terminated. */
  async wait() {
    await busy(long);
    ready();
  },
  async 'short wait'() {
    await busy(20_000);
    ready();
  },
  async loading() {
    const engine = open();
    for (const instances of [1, 2, 3]) engine.load({ path: fixture('slow-loop'), instances });
    ready();
  },
  async throw() {
    await busy(20_000);
    ready();
    setImmediate(() => {
      throw new Error('on purpose');
    });
  },
  async exit() {
    await busy(20_000);
    ready();
    setImmediate(() => process.exit(3));
  },
  async natural() {
    const { completed } = await busy(20_000);
    completed.then((count) => parentPort!.postMessage(count));
  },
  async 'not closed'() {
    const model = await open().load({ path: fixture('identity-float32') });
    await model.run({ x: float32([1, 2, 3]) });
    ready();
  },
  async close() {
    const { engine } = await busy(20_000);
    ready();
    await engine.close();
  },
};

endings[workerData as string]!();
