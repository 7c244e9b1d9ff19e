/**
 * @module Generates many short texts, and then drops models without closing them; prints how much memory and how many
 * threads are left: `generation-memory.fixture.ts GENERATIONS MODELS`.
 */
import { readdirSync } from 'node:fs';
import { filesOf, input, short, collect as tokensOf } from './generators.ts';
import { open } from './support.ts';

const [generations = 0, models = 0] = process.argv.slice(2).map(Number);

const collect: () => void =
  (globalThis as { gc?: () => void }).gc ??
  (() => (globalThis as { Bun?: typeof Bun }).Bun?.gc(true));

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
const threads = () => readdirSync('/proc/self/task').length;

/** Resident memory after garbage has been collected, MiB. */
async function resident(): Promise<number> {
  for (let times = 0; times < 5; times++) {
    collect();
    await turn();
  }
  return process.memoryUsage.rss() / 2 ** 20;
}

const engine = open();
const model = await engine.loadGenerator(filesOf('t5'));

/** Eight at a time, of which some are cancelled, some fail, and the others are iterated. */
async function generate(count: number): Promise<void> {
  for (let done = 0; done < count; done += 8) {
    const all = Array.from({ length: 8 }, (_, index) =>
      model.generate(input, { ...short, numBeams: index === 0 ? 3 : 1 }),
    );
    all[1]!.cancel();
    model.generate([], short);
    await Promise.all(all.slice(2).map((each) => tokensOf(each)));
    await all[0]!.result;
  }
}

await generate(generations);
const before = await resident();
await generate(generations);
const grownMiB = (await resident()) - before;
await model.close();

const alone = threads();
let most = 0;
async function drop(number: number): Promise<void> {
  const dropped = await engine.loadGenerator({ ...filesOf('t5'), maxQueue: 100 + number });
  await dropped.generate(input, short).result;
  // Nobody waits for this generation, and it keeps the model only until it has ended.
  dropped.generate(input, short);
  most = Math.max(most, threads() - alone);
}
for (let number = 0; number < models; number++) await drop(number);
for (let tries = 0; tries < 200 && threads() > alone; tries++) await resident();
console.log(JSON.stringify({ grownMiB, most, left: threads() - alone }));
await engine.close();
