/**
 * @module The soak: 10 minutes of load in `npm run verify`, which sets `SOAK=1`, else 20 seconds; `SOAK_SECONDS` sets
 * another time.
 *
 * Neither the runtime nor the machine stays the same for ten minutes: Bun keeps some memory of each Worker that has ended,
 * even of an empty one, and the pace of a machine varies by more than what the checks must find. Decision record 0028
 * says how they are told from a leak and from a decline.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';
import {
  faultsOfMemory,
  faultsOfPace,
  faultsOfRequests,
  type Limits,
  memoryOf,
  pacesOf,
  type Report,
  type Turn,
} from './check.ts';
import { kinds, LOADING } from './load.ts';

const seconds = Number(process.env.SOAK_SECONDS ?? (process.env.SOAK === '1' ? 600 : 20));
const long = seconds >= 300;

/** A short run is mostly warm-up, and too short to measure exactly. */
const limits: Limits = {
  ...{ growth: 20 << 20, heap: 1 << 20 },
  ...(long
    ? { warmUp: 0.2, ratio: 1.05, pace: 0.95, paceOfKind: 0.9 }
    : { warmUp: 0.4, ratio: 1.1, pace: 0.7, paceOfKind: 0.7 }),
};
const warmUpSeconds = long ? 30 : 5;

class Child {
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown[]>;

  constructor(...parameters: readonly string[]) {
    this.#process = fork(path.join(import.meta.dirname, 'soak.fixture.ts'), parameters);
    this.#exit = once(this.#process, 'exit');
  }

  async receive<T>(): Promise<T> {
    const ended = this.#exit.then(([code]) => assert.fail(`the process ended with ${code}`));
    const [message] = await Promise.race([once(this.#process, 'message'), ended]);
    return message;
  }

  ask<T>(question: string): Promise<T> {
    this.#process.send(question);
    return this.receive();
  }

  async end(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    const [code] = await this.#exit;
    assert.equal(code, 0);
  }
}

/** Measures both processes in turns, one kind of request after the other. Which one begins alternates. */
async function takeTurns(aged: Child, fresh: Child, turnCount: number): Promise<Turn[]> {
  const turns: Turn[] = [];
  for (let count = 0; count < turnCount; count++) {
    const costs: { aged: Record<string, number>; fresh: Record<string, number> } = {
      aged: {},
      fresh: {},
    };
    const order = count % 2 === 0 ? (['aged', 'fresh'] as const) : (['fresh', 'aged'] as const);
    for (const name of [...kinds.map((kind) => kind.name), LOADING]) {
      for (const which of order) {
        costs[which][name] = await (which === 'aged' ? aged : fresh).ask<number>(name);
      }
    }
    turns.push(costs);
  }
  return turns;
}

const shares = Object.fromEntries(kinds.map(({ name, share }) => [name, share]));
const kib = (bytes: number) => (bytes / 2 ** 10).toFixed(0);
const three = (value: number) => value.toFixed(3);
const timeout = seconds * 3000 + 600_000;

test('a long mixed load passes all checks', { timeout }, async () => {
  const aged = new Child(String(seconds));
  const report = await aged.receive<Report>();
  const { tally, loads, workers } = report;
  const memory = memoryOf(report, limits);
  console.log(
    `${tally.started} requests (${tally.rejected} refused as they had to be), ${loads} models loaded, ` +
      `${workers} Workers; memory ${(memory.growth / 2 ** 20).toFixed(1)} MiB more, x ${three(memory.ratio)} ` +
      `without the runtime's own; native code keeps ${kib(memory.nativeHeap)} KiB more, JavaScript ${kib(memory.jsHeap)}`,
  );
  const fresh = new Child(String(warmUpSeconds));
  await fresh.receive<Report>();
  const paces = pacesOf(await takeTurns(aged, fresh, long ? 100 : 10), shares);
  const each = Object.entries(paces.kinds).map(([kind, pace]) => `${kind} ${three(pace)}`);
  console.log(`pace x ${three(paces.mixed)} of that of a fresh process: ${each.join(', ')}`);
  await Promise.all([aged.end(), fresh.end()]);
  assert.deepEqual(
    [
      ...faultsOfRequests(report),
      ...faultsOfMemory(memory, limits),
      ...faultsOfPace(paces, limits),
    ],
    [],
  );
  assert.ok(tally.fulfilled > 100 * seconds && tally.rejected > seconds, JSON.stringify(tally));
  assert.ok(loads > seconds && workers >= seconds / 10, `${loads} loads, ${workers} Workers`);
});

for (const [fault, found] of [
  ['leak', 'memory grew by'],
  ['native', 'native code keeps'],
] as const) {
  test(`a leak is found: ${found}`, { timeout: 120_000 }, async () => {
    const child = new Child('12', fault);
    const memory = memoryOf(await child.receive(), limits);
    await child.end();
    const faults = faultsOfMemory(memory, limits);
    assert.ok(
      faults.some((sentence) => sentence.startsWith(found)),
      faults.join('; '),
    );
  });
}

test('requests that become slower are found', { timeout: 120_000 }, async () => {
  const aged = new Child('10', 'slower');
  await aged.receive();
  const fresh = new Child('5');
  await fresh.receive();
  const faults = faultsOfPace(pacesOf(await takeTurns(aged, fresh, 10), shares), limits);
  await Promise.all([aged.end(), fresh.end()]);
  assert.ok(
    faults.some((fault) => fault.startsWith("the pace of 'rows' fell")),
    faults.join('; '),
  );
});
