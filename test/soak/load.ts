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

/** A kind of request. */
export interface Kind {
  readonly name: string;
  /** How often clients choose it, compared with the others. */
  readonly share: number;
  /** How many of them take several milliseconds of CPU time, which is enough to measure it. */
  readonly measured: number;
  readonly send: (models: Models, random: Random) => Promise<Outcome>;
}

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

export const kinds: readonly Kind[] = [
  {
    ...{ name: 'rows', share: 60, measured: 720 },
    async send({ plain }, random) {
      const x = float32(...rowsOf(1 + Math.floor(random() * 32), random));
      const { outputs } = await plain.run({ x });
      assert.deepEqual(outputs.y?.data, x.data);
      return 'fulfilled';
    },
  },
  {
    ...{ name: 'dynamic axes', share: 10, measured: 720 },
    async send({ axes }, random) {
      const width = 1 + Math.floor(random() * 8);
      const x = float32(Array.from({ length: width }, random));
      const { outputs } = await axes.run({ x });
      assert.deepEqual(
        outputs.y?.data,
        x.data.map((value) => -value),
      );
      return 'fulfilled';
    },
  },
  {
    ...{ name: 'deadline', share: 8, measured: 48 },
    send: ({ slow }, random) =>
      may(
        ['DEADLINE_EXCEEDED', 'UNAVAILABLE'],
        loop(slow, 200, { timeoutMs: 1 + random() * 4, priority: Math.floor(random() * 3) }),
      ),
  },
  {
    ...{ name: 'abort', share: 8, measured: 240 },
    send({ slow }, random) {
      const abort = new AbortController();
      // Its run may take too long because of those it shares the run with.
      const codes = ['AbortError', 'DEADLINE_EXCEEDED'];
      const result = may(codes, loop(slow, 100, { signal: abort.signal }));
      if (random() < 0.5) abort.abort();
      else setImmediate(() => abort.abort());
      return result;
    },
  },
  {
    ...{ name: 'wrong shape', share: 5, measured: 720 },
    send: ({ plain }) => must('INVALID_ARGUMENT', plain.run({ x: float32([1, 2]) })),
  },
  {
    ...{ name: 'failing run', share: 4, measured: 360 },
    send: ({ poison }) => must('INVALID_ARGUMENT', poison.run({ x: float32([2000, 1]) })),
  },
  {
    ...{ name: 'text', share: 4, measured: 360 },
    async send({ text }, random) {
      const data = [String(random()), 'ä', ''];
      const { outputs } = await text.run({ x: tensor('string', [1, 3], data) });
      assert.deepEqual(outputs.y?.data, data);
      return 'fulfilled';
    },
  },
  {
    ...{ name: 'many rows', share: 1, measured: 12 },
    async send({ plain }, random) {
      const data = new Float32Array(3 * 16_384).fill(random());
      const first = data[0];
      const x = tensor('float32', [16_384, 3], data);
      const { outputs } = await plain.run({ x }, { transfer: true });
      assert.equal(outputs.y?.data.length, 3 * 16_384);
      assert.equal(outputs.y?.data[49_151], first);
      return 'fulfilled';
    },
  },
];

/** The name of what is measured beside the requests: two models are loaded, and closed again. */
export const LOADING = 'load and close';

function draw(kinds: readonly Kind[], random: Random): Kind {
  let left = random() * kinds.reduce((sum, { share }) => sum + share, 0);
  for (const kind of kinds) {
    left -= kind.share;
    if (left < 0) return kind;
  }
  return kinds[0]!;
}

/** Sends one request after another until `going` returns false. */
export async function client(
  kinds: readonly Kind[],
  models: Models,
  random: Random,
  going: () => boolean,
  tally: Tally,
): Promise<void> {
  while (going()) {
    tally.started++;
    try {
      tally[await draw(kinds, random).send(models, random)]++;
    } catch (error) {
      tally.rejected++;
      if (tally.wrong.length < 10) tally.wrong.push(`${error}`);
    }
  }
}
