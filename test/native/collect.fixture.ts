/** @module Loads models, drops them without closing them, and prints what is left of them. */
import { readdirSync } from 'node:fs';
import { fixture, float32, open } from './support.ts';

const cycles = Number(process.argv[2]);

const collect: () => void =
  (globalThis as { gc?: () => void }).gc ??
  (() => (globalThis as { Bun?: typeof Bun }).Bun?.gc(true));

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

/** Each model has an instance, which is a thread. */
const threads = () => readdirSync('/proc/self/task').length;

/** Collects garbage until at most `limit` threads are left, and returns how many there are. */
async function settle(limit: number): Promise<number> {
  for (let tries = 0; tries < 200 && threads() > limit; tries++) {
    collect();
    await turn();
  }
  return threads();
}

const engine = open();
const x = float32([1, 2, 3]);

/** Loads a model with a session of its own for each number. */
const load = (number: number) =>
  engine.load({ path: fixture('identity-float32'), batching: { maxQueue: 1000 + number } });

async function drop(number: number): Promise<void> {
  const model = await load(number);
  await model.run({ x });
  // Nobody waits for this request, and it keeps the model only until it has completed.
  model.run({ x }).catch(() => {});
}

const first = await load(0);
await first.run({ x });
await first.close();
const before = threads();

const memory: number[] = [];
let most = 0;
for (let number = 0; number < cycles; number++) {
  await drop(number);
  most = Math.max(most, threads() - before);
  if (number % 20 === 19) await settle(before + 3);
  if (number + 1 === cycles / 2 || number + 1 === cycles) memory.push(process.memoryUsage().rss);
}
const left = (await settle(before + 3)) - before;

// The session was freed with its last model: the same options create another, whose counters are zero.
const { submitted } = (await load(0)).stats();

const grownMiB = (memory[1]! - memory[0]!) / 2 ** 20;
console.log(JSON.stringify({ most, left, submitted, grownMiB }));
await engine.close();
