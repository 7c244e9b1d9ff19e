/** @module Loads models and drops them without a word, and says what is left of them. */
import { readdirSync } from 'node:fs';
import { fixture, float32, open } from './support.ts';

const cycles = Number(process.argv[2]);

const collect: () => void =
  (globalThis as { gc?: () => void }).gc ??
  (() => (globalThis as { Bun?: typeof Bun }).Bun?.gc(true));

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

/** Each model has an instance, which is a thread. */
const threads = () => readdirSync('/proc/self/task').length;

/** Collects until no more threads than that are left, and returns how many are. */
async function settle(limit: number): Promise<number> {
  for (let tries = 0; tries < 200 && threads() > limit; tries++) {
    collect();
    await turn();
  }
  return threads();
}

const engine = open();
const x = float32([1, 2, 3]);

/** A session of its own for each number. */
const load = (number: number) =>
  engine.load({ path: fixture('identity-float32'), batching: { maxQueue: 1000 + number } });

async function drop(number: number): Promise<void> {
  const model = await load(number);
  await model.run({ x });
  // Nobody waits for this one, and it keeps the model no longer than it takes.
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

// The session went with its last model: the same options make another, with its counters at zero.
const { submitted } = (await load(0)).stats();

const grownMiB = (memory[1]! - memory[0]!) / 2 ** 20;
console.log(JSON.stringify({ most, left, submitted, grownMiB }));
await engine.close();
