/** @module Every method is called in every state. The table has the expected outcomes, and each cell is a test. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type Engine, MillraceError, type Model } from '../../native/index.ts';
import { fixture, loop, occupy, open } from './support.ts';

/** The engine and the model on which a method is called, in one of the states, and how to leave that state. */
interface Subject {
  readonly engine: Engine;
  /** Missing where no model is loaded yet. */
  readonly model?: Model;
  leave(): Promise<unknown>;
}

const load = (engine: Engine) => engine.load({ path: fixture('slow-loop') });

const states: Readonly<Record<string, () => Promise<Subject>>> = {
  async 'engine fresh'() {
    const engine = open();
    return { engine, leave: () => engine.close() };
  },
  async 'model loading'() {
    const engine = open();
    const loading = load(engine);
    return { engine, leave: () => Promise.all([loading, engine.close()]) };
  },
  async 'model idle'() {
    const engine = open();
    return { engine, model: await load(engine), leave: () => engine.close() };
  },
  async 'model running'() {
    const engine = open();
    const model = await load(engine);
    const { done } = await occupy(model, 20_000);
    return { engine, model, leave: () => Promise.all([done, engine.close()]) };
  },
  async 'model closing'() {
    const engine = open();
    const model = await load(engine);
    const { done } = await occupy(model, 20_000);
    const closing = model.close();
    return { engine, model, leave: () => Promise.all([done, closing, engine.close()]) };
  },
  async 'model closed'() {
    const engine = open();
    const model = await load(engine);
    await model.close();
    return { engine, model, leave: () => engine.close() };
  },
  async 'engine closing'() {
    const engine = open();
    const model = await load(engine);
    const { done } = await occupy(model, 20_000);
    const closing = engine.close();
    return { engine, model, leave: () => Promise.all([done, closing]) };
  },
  async 'engine closed'() {
    const engine = open();
    const model = await load(engine);
    await engine.close();
    return { engine, model, leave: async () => {} };
  },
};

type Method = (engine: Engine, model: Model) => unknown;

const engineMethods: Readonly<Record<string, Method>> = {
  'engine.info': (engine) => engine.info.onnxRuntimeVersion,
  'engine.load': async (engine) => (await load(engine)).close(),
  'engine.close': (engine) => engine.close(),
  'counters.series': ({ counters }) => counters.series('matrix', [1]),
  'counters.observe': ({ counters }) => counters.observe(counters.series('matrix', [1]), 1),
  'counters.add': ({ counters }) => counters.add(counters.series('matrix: counter', []), 1),
  'counters.snapshot': ({ counters }) => counters.snapshot(),
};

const modelMethods: Readonly<Record<string, Method>> = {
  'model.signature': (_, model) => model.signature.inputs.length,
  'model.stats': (_, model) => model.stats(),
  'model.run': (_, model) => loop(model, 1),
  'model.run, bad input': (_, model) => model.run({}),
  'model.run, no time': (_, model) => loop(model, 1, { timeoutMs: 0 }),
  'model.run, aborted': (_, model) => loop(model, 1, { signal: AbortSignal.abort() }),
  'model.close': (_, model) => model.close(),
  'model.close, twice': (_, model) => Promise.all([model.close(), model.close()]),
};

const ok = 'ok';
const closed = 'FAILED_PRECONDITION';
const invalid = 'INVALID_ARGUMENT';
const late = 'DEADLINE_EXCEEDED';
const abort = 'AbortError';
const none = '-';

/** One column for each state, in their order. */
// biome-ignore format: a table
const expectations: Readonly<Record<string, readonly string[]>> = {
  // engine or model:      fresh loading idle     running  closing closed  closing closed
  'engine.info':          [ok,   ok,     ok,      ok,      ok,     ok,     ok,     ok],
  'engine.load':          [ok,   ok,     ok,      ok,      ok,     ok,     closed, closed],
  'engine.close':         [ok,   ok,     ok,      ok,      ok,     ok,     ok,     ok],
  'counters.series':      [ok,   ok,     ok,      ok,      ok,     ok,     ok,     ok],
  'counters.observe':     [ok,   ok,     ok,      ok,      ok,     ok,     ok,     ok],
  'counters.add':         [ok,   ok,     ok,      ok,      ok,     ok,     ok,     ok],
  'counters.snapshot':    [ok,   ok,     ok,      ok,      ok,     ok,     ok,     ok],
  'model.signature':      [none, none,   ok,      ok,      ok,     ok,     ok,     ok],
  'model.stats':          [none, none,   ok,      ok,      ok,     closed, ok,     closed],
  'model.run':            [none, none,   ok,      ok,      closed, closed, closed, closed],
  'model.run, bad input': [none, none,   invalid, invalid, closed, closed, closed, closed],
  'model.run, no time':   [none, none,   late,    late,    closed, closed, closed, closed],
  'model.run, aborted':   [none, none,   abort,   abort,   closed, closed, closed, closed],
  'model.close':          [none, none,   ok,      ok,      ok,     ok,     ok,     ok],
  'model.close, twice':   [none, none,   ok,      ok,      ok,     ok,     ok,     ok],
};

async function outcome(call: () => unknown): Promise<string> {
  try {
    await call();
    return ok;
  } catch (error) {
    return error instanceof MillraceError ? error.code : (error as Error).name;
  }
}

// Keeps the session, so that each cell need not load it again.
const keeper = open();
const kept = load(keeper);
after(async () => {
  await kept;
  await keeper.close();
});

const methods = { ...engineMethods, ...modelMethods };

describe('the table', () => {
  test('has a row for each method and a column for each state', () => {
    assert.deepEqual(Object.keys(expectations), Object.keys(methods));
    for (const row of Object.values(expectations)) {
      assert.equal(row.length, Object.keys(states).length);
    }
  });
});

for (const [column, [state, enter]] of Object.entries(states).entries()) {
  describe(state, () => {
    for (const [name, method] of Object.entries(methods)) {
      const expected = expectations[name]![column]!;
      if (expected === none) continue;
      test(`${name}: ${expected}`, async () => {
        await kept;
        const { engine, model, leave } = await enter();
        const wasClosed = model?.closed;
        assert.equal(await outcome(() => method(engine, model!)), expected);
        if (wasClosed === true) assert.equal(model?.closed, true, 'nothing opens it again');
        await leave();
      });
    }
  });
}

test('after all these calls the session still works', async () => {
  const model = await kept;
  await loop(model, 1);
  const { queued, running } = model.stats();
  assert.deepEqual([queued, running], [0, 0]);
});
