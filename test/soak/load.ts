/** @module The mixed load of the soak: requests of every kind, each checked. */
import assert from 'node:assert/strict';
import { type Engine, MillraceError, type Model, type RunResult } from '../../native/index.ts';
import { fixture, float32, loop, tensor } from '../native/support.ts';

export interface Tally {
  started: number;
  fulfilled: number;
  /** Requests that were rejected and had to be, or might be. */
  rejected: number;
  /** The first few failures that must not happen. */
  readonly wrong: string[];
}

/** A number from 0 to below 1, the same in every process (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Models {
  readonly plain: Model;
  readonly slow: Model;
  readonly poison: Model;
  readonly text: Model;
  readonly axes: Model;
}

export async function loadModels(engine: Engine): Promise<Models> {
  const load = (name: string) => engine.load({ path: fixture(name), warmupMs: 20 });
  return {
    plain: await load('identity-float32'),
    slow: await engine.load({ path: fixture('slow-loop'), warmupMs: 20, runLimitMs: 50 }),
    poison: await load('poison'),
    text: await load('identity-string'),
    axes: await load('dynamic-axes'),
  };
}

type Random = () => number;
type Outcome = 'fulfilled' | 'rejected';
type Kind = (models: Models, random: Random) => Promise<Outcome>;

const rowsOf = (count: number, random: Random) =>
  Array.from({ length: count }, () => [random(), random(), random()]);

/** Errors that a request may end with instead of a response. */
async function may(codes: readonly string[], result: Promise<RunResult>): Promise<Outcome> {
  try {
    await result;
    return 'fulfilled';
  } catch (error) {
    if (error instanceof MillraceError && codes.includes(error.code)) return 'rejected';
    if (error instanceof DOMException && codes.includes(error.name)) return 'rejected';
    throw error;
  }
}

async function must(code: string, result: Promise<RunResult>): Promise<Outcome> {
  assert.equal(await may([code], result), 'rejected', `expected ${code}`);
  return 'rejected';
}

const kinds: readonly (readonly [share: number, kind: Kind])[] = [
  [
    60,
    async ({ plain }, random) => {
      const x = float32(...rowsOf(1 + Math.floor(random() * 32), random));
      const { outputs } = await plain.run({ x });
      assert.deepEqual(outputs.y?.data, x.data);
      return 'fulfilled';
    },
  ],
  [
    10,
    async ({ axes }, random) => {
      const width = 1 + Math.floor(random() * 8);
      const x = float32(Array.from({ length: width }, random));
      const { outputs } = await axes.run({ x });
      assert.deepEqual(
        outputs.y?.data,
        x.data.map((value) => -value),
      );
      return 'fulfilled';
    },
  ],
  [
    8,
    ({ slow }, random) =>
      may(
        ['DEADLINE_EXCEEDED', 'UNAVAILABLE'],
        loop(slow, 200, { timeoutMs: 1 + random() * 4, priority: Math.floor(random() * 3) }),
      ),
  ],
  [
    8,
    ({ slow }, random) => {
      const abort = new AbortController();
      // Its run may take too long because of those it shares the run with.
      const codes = ['AbortError', 'DEADLINE_EXCEEDED'];
      const result = may(codes, loop(slow, 100, { signal: abort.signal }));
      if (random() < 0.5) abort.abort();
      else setImmediate(() => abort.abort());
      return result;
    },
  ],
  [5, ({ plain }) => must('INVALID_ARGUMENT', plain.run({ x: float32([1, 2]) }))],
  [4, ({ poison }) => must('INVALID_ARGUMENT', poison.run({ x: float32([2000, 1]) }))],
  [
    4,
    async ({ text }, random) => {
      const data = [String(random()), 'ä', ''];
      const { outputs } = await text.run({ x: tensor('string', [1, 3], data) });
      assert.deepEqual(outputs.y?.data, data);
      return 'fulfilled';
    },
  ],
  [
    1,
    async ({ plain }, random) => {
      const data = new Float32Array(3 * 16_384).fill(random());
      const first = data[0];
      const x = tensor('float32', [16_384, 3], data);
      const { outputs } = await plain.run({ x }, { transfer: true });
      assert.equal(outputs.y?.data.length, 3 * 16_384);
      assert.equal(outputs.y?.data[49_151], first);
      return 'fulfilled';
    },
  ],
];
const shares = kinds.reduce((sum, [share]) => sum + share, 0);

function draw(random: Random): Kind {
  let left = random() * shares;
  for (const [share, kind] of kinds) {
    left -= share;
    if (left < 0) return kind;
  }
  return kinds[0]![1];
}

/** Sends one request after another until `going` returns false. */
export async function client(
  models: Models,
  random: Random,
  going: () => boolean,
  tally: Tally,
): Promise<void> {
  while (going()) {
    tally.started++;
    try {
      tally[await draw(random)(models, random)]++;
    } catch (error) {
      tally.rejected++;
      if (tally.wrong.length < 10) tally.wrong.push(`${error}`);
    }
  }
}
