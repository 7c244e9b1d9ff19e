/** @module Helpers of the tests of the engine. */
import assert from 'node:assert/strict';
import path from 'node:path';
import {
  type ElementData,
  type ElementType,
  type Engine,
  type EngineOptions,
  type LoadOptions,
  MillraceError,
  type MillraceErrorCode,
  type Model,
  openEngine,
  type RunOptions,
  type RunResult,
  type Tensor,
} from '../../native/index.ts';

const models = path.resolve(import.meta.dirname, '../fixtures/models');

/** Repetitions of tests that could fail by chance: one in `npm test`, and more in `npm run verify`. */
export const repetitions = Number(process.env.REPETITIONS ?? 1);

/** `MILLRACE_TEST_ADDON` names another build of the addon, such as a sanitized one. */
export function engineOptions(): EngineOptions {
  const addon = process.env.MILLRACE_TEST_ADDON;
  return addon === undefined ? {} : { addon };
}

export const open = (options: EngineOptions = {}): Engine =>
  openEngine({ ...engineOptions(), ...options });

/** Path of a fixture model, named without its ending. */
export const fixture = (name: string): string => path.join(models, `${name}.onnx`);

export function tensor<T extends ElementType>(
  type: T,
  dims: readonly number[],
  data: ElementData[T],
): Tensor<T> {
  return { type, dims, data } as Tensor<T>;
}

/** Rows of float32 numbers of equal width. */
export function float32(...rows: readonly (readonly number[])[]): Tensor<'float32'> {
  return tensor('float32', [rows.length, rows[0]?.length ?? 0], Float32Array.from(rows.flat()));
}

/** Makes batches as large as allowed: with measured costs, a batch of fewer rows may be cheaper for each. */
export const unmeasured: LoadOptions = { warmupMs: 0 };

/** Runs `body` with a model and closes it. */
export async function withModel(
  engine: Engine,
  name: string,
  body: (model: Model) => unknown,
  options: Omit<LoadOptions, 'path' | 'bytes'> = {},
): Promise<void> {
  const model = await engine.load({ path: fixture(name), ...options });
  try {
    await body(model);
  } finally {
    await model.close();
  }
}

/** Resolves once the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  const limit = performance.now() + 30_000;
  while (!condition()) {
    assert.ok(performance.now() < limit, `still false after 30 s: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** One request to the model `slow-loop`: about a microsecond for each turn. */
export function loop(model: Model, turns: number, options?: RunOptions): Promise<RunResult> {
  const iterations = tensor('int64', [1, 1], BigInt64Array.of(BigInt(turns)));
  return model.run({ iterations }, options);
}

/**
 * Occupies an instance of a `slow-loop`, 150 ms or longer unless set; `done` is the promise of its result. On a busy machine
 * a short run may end before this thread sees it run, and is then repeated.
 */
export async function occupy(model: Model, turns = 150_000): Promise<{ done: Promise<RunResult> }> {
  for (;;) {
    const before = model.stats().running;
    let ended = false;
    const done = loop(model, turns).finally(() => {
      ended = true;
    });
    await until(() => ended || model.stats().running > before);
    if (!ended) return { done };
  }
}

/** Asserts a rejection with a `MillraceError` of one readable sentence, and returns it. */
export async function refused(
  promise: Promise<unknown>,
  code: MillraceErrorCode,
  message: RegExp = /./,
): Promise<MillraceError> {
  const error = await promise.then(
    () => assert.fail(`expected ${code}, but it was fulfilled`),
    (reason: unknown) => reason,
  );
  return isError(error, code, message);
}

/** As `refused`, for a call that throws. */
export function thrown(call: () => unknown, code: MillraceErrorCode): MillraceError {
  try {
    call();
  } catch (error) {
    return isError(error, code, /./);
  }
  return assert.fail(`expected ${code}, but nothing was thrown`);
}

function isError(error: unknown, code: MillraceErrorCode, message: RegExp): MillraceError {
  if (!(error instanceof MillraceError)) throw error;
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return error;
}
