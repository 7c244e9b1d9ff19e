/** @module How generations end before their last token, and what they wait for before their first. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type Generation, MillraceError } from '../../native/index.ts';
import {
  collect,
  filesOf,
  idle,
  input,
  running,
  short,
  unending,
  withGenerator,
} from './generators.ts';
import { open, refused, thrown, until } from './support.ts';

const engine = open();
after(() => engine.close());

/** Waits for the first tokens, and goes on with the iteration in the background. */
async function begun(generation: Generation): Promise<{ rest: Promise<unknown> }> {
  const iterator = generation[Symbol.asyncIterator]();
  const first = await iterator.next();
  assert.ok(first.done !== true && first.value.length > 0);
  const rest = (async () => {
    while (!(await iterator.next()).done);
  })();
  rest.catch(() => {});
  return { rest };
}

describe('a generation is cancelled', () => {
  test('by leaving its iteration', () =>
    withGenerator(engine, 't5', async (model) => {
      const generation = model.generate(input, unending);
      for await (const tokens of generation) {
        assert.ok(tokens.length > 0);
        break;
      }
      await refused(generation.result, 'CANCELLED', /cancelled/);
      await idle(model);
      assert.equal(model.stats().cancelled, 1);
      assert.equal(model.stats().cacheBytes, 0);
    }));

  test('by leaving its iteration while it waits for a token', () =>
    withGenerator(engine, 't5', async (model) => {
      const iterator = model
        .generate(input, { ...unending, stream: false })
        [Symbol.asyncIterator]();
      const waiting = iterator.next();
      await running(model, 1);
      assert.deepEqual(await iterator.return!(), { done: true, value: undefined });
      assert.deepEqual(await waiting, { done: true, value: undefined });
      await idle(model);
    }));

  test('by cancel(), also before it has started, and only once', () =>
    withGenerator(
      engine,
      't5',
      async (model) => {
        const [first, second] = [model.generate(input, unending), model.generate(input, unending)];
        const { rest } = await begun(first);
        second.cancel();
        second.cancel();
        await refused(second.result, 'CANCELLED');
        await until(() => model.stats().cancelled === 1);
        first.cancel();
        await refused(rest, 'CANCELLED');
        await refused(first.result, 'CANCELLED');
        await idle(model);
        assert.equal(model.stats().cancelled, 2);
      },
      { maxRows: 1 },
    ));

  test('by its signal, whose reason it fails with', () =>
    withGenerator(engine, 't5', async (model) => {
      const controller = new AbortController();
      const generation = model.generate(input, { ...unending, signal: controller.signal });
      const { rest } = await begun(generation);
      const reason = new Error('the client has hung up');
      controller.abort(reason);
      await assert.rejects(generation.result, reason);
      await assert.rejects(rest, reason);
      await idle(model);
      const late = model.generate(input, { ...unending, signal: controller.signal });
      await assert.rejects(late.result, reason);
      assert.equal(model.stats().submitted, 1);
    }));

  test('and others that share its steps go on', () =>
    withGenerator(engine, 't5', async (model) => {
      const alone = await model.generate(input, { ...short, maxNewTokens: 40 }).result;
      const goes = model.generate(input, unending);
      const stays = model.generate(input, { ...short, maxNewTokens: 40 });
      await begun(goes);
      goes.cancel();
      assert.deepEqual((await stays.result).tokens, alone.tokens);
    }));
});

describe('a deadline', () => {
  test('of 0 passes before the generation starts', () =>
    withGenerator(engine, 't5', async (model) => {
      const generation = model.generate(input, { ...short, timeoutMs: 0 });
      await refused(generation.result, 'DEADLINE_EXCEEDED', /deadline/i);
      await idle(model);
      assert.equal(model.stats().expired, 1);
    }));

  test('passes while the generation waits', () =>
    withGenerator(
      engine,
      't5',
      async (model) => {
        const first = model.generate(input, unending);
        await running(model, 1);
        const second = model.generate(input, { ...short, timeoutMs: 20 });
        await refused(second.result, 'DEADLINE_EXCEEDED');
        await until(() => model.stats().expired === 1);
        first.cancel();
        await idle(model);
      },
      { maxRows: 1 },
    ));

  test('passes during the generation, after tokens have been delivered', () =>
    withGenerator(engine, 't5', async (model) => {
      const generation = model.generate(input, { ...unending, timeoutMs: 200 });
      const tokens: number[] = [];
      const iterated = (async () => {
        for await (const part of generation) tokens.push(...part);
      })();
      await refused(iterated, 'DEADLINE_EXCEEDED', /deadline/i);
      await refused(generation.result, 'DEADLINE_EXCEEDED');
      assert.ok(tokens.length > 0);
      await until(() => model.stats().expired === 1);
      assert.equal(model.stats().running, 0);
    }));
});

test('a full queue refuses one more, and says when to try again', () =>
  withGenerator(
    engine,
    't5',
    async (model) => {
      const first = model.generate(input, unending);
      await running(model, 1);
      const second = model.generate(input, short);
      const error = await refused(model.generate(input, short).result, 'UNAVAILABLE', /queue/);
      assert.ok(error.retryAfterMs !== undefined && error.retryAfterMs >= 1);
      assert.equal(model.stats().rejected, 1);
      first.cancel();
      assert.equal((await second.result).tokens.length, 5);
    },
    { maxRows: 1, maxQueue: 1 },
  ));

test('the most urgent of those that wait is next', () =>
  withGenerator(
    engine,
    't5',
    async (model) => {
      const first = model.generate(input, unending);
      await running(model, 1);
      const ended: number[] = [];
      const waiting = [5, 0, 3].map(async (priority) => {
        await model.generate(input, { ...short, priority }).result;
        ended.push(priority);
      });
      await until(() => model.stats().queued === 3);
      first.cancel();
      await Promise.all(waiting);
      assert.deepEqual(ended, [0, 3, 5]);
    },
    { maxRows: 1 },
  ));

describe('the memory for keys and values', () => {
  const tokens = 200;
  const long = { ...short, maxNewTokens: tokens };

  /** What one generation of that length reserves. */
  async function need(): Promise<number> {
    let peak = 0;
    await withGenerator(engine, 't5', async (model) => {
      await model.generate(input, long).result;
      peak = model.stats().cacheBytesPeak;
    });
    return peak;
  }

  test('is divided among generations, of which the others wait', async () => {
    const cacheBytes = Math.ceil(2.5 * (await need()));
    await withGenerator(
      engine,
      't5',
      async (model) => {
        const all = Array.from({ length: 5 }, () => model.generate(input, long).result);
        for (const { timings } of await Promise.all(all)) assert.ok(timings.batchRequests <= 2);
        const { cacheBytes: used, cacheBytesLimit, cacheBytesPeak } = model.stats();
        assert.deepEqual([used, cacheBytesLimit], [0, cacheBytes]);
        assert.ok(cacheBytesPeak <= cacheBytes && cacheBytesPeak > cacheBytes / 2);
      },
      { cacheBytes },
    );
  });

  test('is not enough for a generation that is too long, which is refused at once', async () => {
    await withGenerator(
      engine,
      't5',
      async (model) => {
        const { result } = model.generate(input, { ...long, maxNewTokens: 100 * tokens });
        await refused(result, 'INVALID_ARGUMENT', /cacheBytes|memory/);
        assert.equal((await model.generate(input, short).result).tokens.length, 5);
      },
      { cacheBytes: await need() },
    );
  });
});

test('a step that passes runLimitMs fails its generations, and the next one runs', () =>
  withGenerator(
    engine,
    't5',
    async (model) => {
      const many = new Int32Array(1500).fill(24);
      await refused(model.generate(many, short).result, 'DEADLINE_EXCEEDED', /step/);
      await idle(model);
      assert.equal(model.stats().completed, 0);
      // On a busy machine a short step may pass the limit, too.
      const one = () => model.generate(input, { ...short, maxNewTokens: 1 }).result;
      const next = await one().catch(() => one().catch(() => one()));
      assert.equal(next.tokens.length, 1);
    },
    { runLimitMs: 15 },
  ));

describe('close', () => {
  test('waits for generations that run and that wait', async () => {
    const model = await engine.loadGenerator({ ...filesOf('t5'), maxRows: 1 });
    const all = Array.from({ length: 3 }, () =>
      model.generate(input, { ...short, maxNewTokens: 100 }),
    );
    const ended: string[] = [];
    const each = all.map(({ result }) => result.then(() => ended.push('generation')));
    const closing = model.close().then(() => ended.push('close'));
    assert.ok(model.closed);
    await Promise.all([closing, ...each]);
    assert.deepEqual(ended, ['generation', 'generation', 'generation', 'close']);
    await model.close();
  });

  test('refuses later calls', async () => {
    const model = await engine.loadGenerator(filesOf('t5'));
    await model.close();
    await refused(model.generate(input, short).result, 'FAILED_PRECONDITION', /'t5' is closed/);
    await refused(collect(model.generate(input, short)), 'FAILED_PRECONDITION');
    thrown(() => model.stats(), 'FAILED_PRECONDITION');
  });

  test('of the engine closes its generative models', async () => {
    const own = open();
    const model = await own.loadGenerator(filesOf('gpt2'));
    const { result } = model.generate([1, 2, 3], { maxNewTokens: 20 });
    await own.close();
    assert.equal((await result).tokens.length, 20);
    assert.ok(model.closed);
    await refused(own.loadGenerator(filesOf('gpt2')), 'FAILED_PRECONDITION', /engine/);
  });

  test('of one of two equal loads leaves the other', async () => {
    const [one, two] = await Promise.all([
      engine.loadGenerator(filesOf('t5')),
      engine.loadGenerator(filesOf('t5')),
    ]);
    await one.generate(input, short).result;
    assert.equal(two.stats().completed, 1, 'they share a generator');
    await one.close();
    assert.equal((await two.generate(input, short).result).tokens.length, 5);
    await two.close();
  });
});

test('nothing is an unhandled rejection, whatever is left unused', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  try {
    await withGenerator(engine, 't5', async (model) => {
      model.generate(input, { maxNewTokens: -1 });
      model.generate(input, { ...short, timeoutMs: 0 });
      model.generate(input, unending).cancel();
      for await (const _ of model.generate(input, unending)) break;
      await assert.rejects(
        collect(model.generate([], short)),
        (error) => error instanceof MillraceError && error.code === 'INVALID_ARGUMENT',
      );
      await idle(model);
    });
    await new Promise((resolve) => setTimeout(resolve, 0));
  } finally {
    process.off('unhandledRejection', note);
  }
  assert.deepEqual(unhandled, []);
});
