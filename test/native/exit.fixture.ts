/** @module The ways in which a process can end, one for each run: `exit.fixture.ts NAME`. */
import { once } from 'node:events';
import { busy } from './busy.ts';
import { filesOf, input, short, unending } from './generators.ts';
import { fixture, float32, open } from './support.ts';
import { startWorker } from './worker.ts';

/** More turns than any scenario waits for. */
const endless = 1_000_000;

const say = (text: string) => process.stdout.write(`${text}\n`);

/** Prints the time, from which the test measures how long the exit takes. */
function exit(code: number): never {
  say(`exit ${Date.now()}`);
  process.exit(code);
}

async function runOnce() {
  const engine = open();
  const model = await engine.load({ path: fixture('identity-float32') });
  await model.run({ x: float32([1, 2, 3]) });
  return engine;
}

const scenarios: Readonly<Record<string, () => unknown>> = {
  'natural exit': async () => (await runOnce()).close(),
  'natural exit, engine not closed': runOnce,
  'natural exit, engine never used': () => open(),
  async 'natural exit, runs in flight'() {
    const { completed } = await busy(20_000);
    completed.then((count) => say(`${count} results`));
  },
  'natural exit, load in flight'() {
    open()
      .load({ path: fixture('slow-loop') })
      .then(() => say('loaded'));
  },
  async 'natural exit, close in mid-run'() {
    const { completed, engine } = await busy(20_000);
    engine.close().then(() => say('closed'));
    completed.then((count) => say(`${count} results`));
  },
  async 'process.exit, runs in flight'() {
    await busy(20_000);
    exit(3);
  },
  async 'process.exit, in a long loop'() {
    await busy(endless);
    exit(3);
  },
  'process.exit, load in flight'() {
    for (const name of ['slow-loop', 'dynamic-axes', 'identity-string', 'two-in-two-out']) {
      open().load({ path: fixture(name) });
    }
    setImmediate(exit, 3);
  },
  'process.exit, nothing loaded'() {
    open();
    exit(3);
  },
  async 'process.exit, closing'() {
    const { engine } = await busy(endless);
    engine.close();
    setImmediate(exit, 3);
  },
  async 'process.exit, many engines'() {
    const engines = await Promise.all(Array.from({ length: 20 }, runOnce));
    await Promise.all(engines.slice(10).map((engine) => engine.close()));
    await busy(endless);
    exit(3);
  },
  async 'process.exit, Workers in mid-run'() {
    const workers = [1, 2].map(() => startWorker('worker-exit.fixture.ts', 'wait'));
    // The runs are short, because the Workers wait for the instance that they share with this thread.
    await Promise.all([busy(20_000), ...workers.map((worker) => once(worker, 'message'))]);
    exit(3);
  },
  async 'process.exit, Workers loading, no engine here'() {
    const workers = [1, 2].map(() => startWorker('worker-exit.fixture.ts', 'loading'));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    exit(3);
  },
  async 'natural exit, generations in flight'() {
    const model = await open().loadGenerator(filesOf('t5'));
    const all = [1, 2, 3].map(() => model.generate(input, { ...short, maxNewTokens: 50 }).result);
    Promise.all(all).then(({ length }) => say(`${length} results`));
  },
  async 'process.exit, in a long generation'() {
    const model = await open().loadGenerator(filesOf('t5'));
    for await (const _ of model.generate(input, unending)) exit(3);
  },
  async 'process.exit, generations of Workers'() {
    const workers = [1, 2].map(() => startWorker('generation-worker.fixture.ts', 'generate'));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    exit(3);
  },
  'process.exit, loading generators'() {
    for (const maxQueue of [1, 2]) open().loadGenerator({ ...filesOf('t5'), maxQueue });
    setImmediate(exit, 3);
  },
  async 'SIGTERM, runs in flight'() {
    await busy(endless);
    say(`exit ${Date.now()}`);
    process.kill(process.pid, 'SIGTERM');
  },
  async 'SIGTERM, with a handler that closes'() {
    const { completed, engine } = await busy(20_000);
    process.on('SIGTERM', async () => {
      await engine.close();
      say(`${await completed} results`);
      process.exit(0);
    });
    process.kill(process.pid, 'SIGTERM');
  },
  async 'SIGTERM, with a handler that exits'() {
    await busy(endless);
    process.on('SIGTERM', () => exit(3));
    process.kill(process.pid, 'SIGTERM');
  },
  async 'uncaught exception, runs in flight'() {
    await busy(endless);
    setImmediate(() => {
      say(`exit ${Date.now()}`);
      throw new Error('on purpose');
    });
  },
};

const [name = ''] = process.argv.slice(2);
scenarios[name]!();
