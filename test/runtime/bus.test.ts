/** @module All changes of state have one order, and each is made in every thread or in none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type BusMember,
  ChangeSequencer,
  createMember,
  type StateChange,
} from '../../runtime/bus.ts';
import { createLog, ServeError } from '../../runtime/index.ts';

const load = (name: string): StateChange => ({ kind: 'load', name, override: undefined });
const nameOf = (change: StateChange) => ('name' in change ? change.name : change.kind);

/** A thread that serves what it has committed last. Tests replace `prepare` to make it fail. */
class Thread {
  readonly log: string[] = [];
  serves = 'old';
  prepare = async (name: string) => name;
  failure: ServeError | undefined;

  readonly member: BusMember = createMember(async (change) => {
    const name = nameOf(change);
    this.log.push(`prepare ${name}`);
    const result = await this.prepare(name);
    return {
      result,
      failure: this.failure,
      commit: () => {
        this.log.push(`commit ${name}`);
        this.serves = result;
      },
      abandon: () => void this.log.push(`abandon ${name}`),
    };
  }, createLog('silent'));
}

/** A bus with this number of threads. */
function threads(count: number, complete?: Promise<void>) {
  const all = Array.from({ length: count }, () => new Thread());
  const bus = new ChangeSequencer(
    all.map(({ member }) => member),
    complete,
  );
  return { all, bus, served: () => all.map(({ serves }) => serves) };
}

describe('the order of changes', () => {
  test('is the same for every thread, and a change has ended before the next begins', async () => {
    const { all, bus } = threads(3);
    for (const [index, thread] of all.entries()) {
      thread.prepare = async (name) => {
        for (let i = 0; i < index; i += 1) await Promise.resolve();
        return name;
      };
    }
    await Promise.all(['a', 'b', 'c'].map((name) => bus.publish(load(name))));
    const expected = ['a', 'b', 'c'].flatMap((name) => [`prepare ${name}`, `commit ${name}`]);
    for (const { log } of all) assert.deepEqual(log, expected);
  });

  test('a change is over when every thread has committed it', async () => {
    const { all, bus, served } = threads(2);
    const gate = Promise.withResolvers<string>();
    all[1]!.prepare = () => gate.promise;
    let over = false;
    const published = bus.publish(load('a')).then(() => {
      over = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(over, false);
    assert.deepEqual(
      served(),
      ['old', 'old'],
      'no thread shows the change before all are ready for it',
    );
    gate.resolve('a');
    await published;
    assert.deepEqual(served(), ['a', 'a']);
  });

  test('changes wait until all threads have started', async () => {
    const complete = Promise.withResolvers<void>();
    const { all, bus } = threads(2, complete.promise);
    const published = bus.publish(load('a'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(all[0]!.log, []);
    complete.resolve();
    await published;
    assert.deepEqual(all[1]!.log, ['prepare a', 'commit a']);
  });
});

describe('a change that one thread cannot make', () => {
  for (const index of [0, 1, 2]) {
    test(`is made by no thread, and its caller gets the error with its code: thread ${index} fails`, async () => {
      const { all, bus, served } = threads(3);
      const fault = new ServeError('MODEL_NOT_FOUND', 'There is no such model.');
      all[index]!.prepare = () => Promise.reject(fault);
      await assert.rejects(bus.publish(load('a')), { code: fault.code, message: fault.message });
      assert.deepEqual(served(), ['old', 'old', 'old']);
      for (const thread of all) assert.ok(!thread.log.includes('commit a'));
      all[index]!.prepare = async (name) => name;
      await bus.publish(load('b'));
      assert.deepEqual(served(), ['b', 'b', 'b']);
    });
  }

  test('does not show a client the message of an error that is not a ServeError', async () => {
    const { all, bus } = threads(2);
    all[1]!.prepare = () => Promise.reject(new Error('ENOENT /secret/path'));
    await assert.rejects(bus.publish(load('a')), {
      code: 'INTERNAL',
      message: 'The server failed to make the change.',
    });
  });

  test('leaves the old model in all threads if the model fails in only that thread', async () => {
    const { all, bus, served } = threads(2);
    all[1]!.prepare = async () => 'a, which failed';
    all[1]!.failure = new ServeError('MODEL_NOT_READY', 'There is no memory for it.');
    await assert.rejects(bus.publish(load('a')), { message: 'There is no memory for it.' });
    assert.deepEqual(served(), ['old', 'old']);
    assert.deepEqual(all[0]!.log, ['prepare a', 'abandon a']);
  });
});

test('a model that fails in every thread alike is committed, and the error is reported', async () => {
  const { all, bus, served } = threads(2);
  for (const thread of all) thread.failure = new ServeError('MODEL_NOT_READY', 'It is no model.');
  await assert.rejects(bus.publish(load('a')), { code: 'MODEL_NOT_READY' });
  assert.deepEqual(served(), ['a', 'a']);
});

test('threads that read different files prepare the change again, until they agree', async () => {
  const { all, bus, served } = threads(2);
  let reads = 0;
  all[1]!.prepare = async (name) => {
    reads += 1;
    return reads === 1 ? 'a file that was just replaced' : name;
  };
  await bus.publish(load('a'));
  assert.deepEqual(served(), ['a', 'a']);
  assert.deepEqual(all[0]!.log, ['prepare a', 'abandon a', 'prepare a', 'commit a']);
});

test('threads that never read the same files keep the models that they had', async () => {
  const { all, bus, served } = threads(2);
  let reads = 0;
  all[1]!.prepare = async () => {
    reads += 1;
    return String(reads);
  };
  await assert.rejects(bus.publish(load('a')), { code: 'INTERNAL', message: /could not agree/ });
  assert.deepEqual(served(), ['old', 'old']);
});

test('a bus that is closed completes the change in progress and refuses the queued ones', async () => {
  const { all, bus, served } = threads(2);
  const gate = Promise.withResolvers<string>();
  all[0]!.prepare = () => gate.promise;
  const first = bus.publish(load('a'));
  const second = assert.rejects(bus.publish(load('b')), { code: 'DRAINING' });
  await new Promise((resolve) => setImmediate(resolve));
  const closed = bus.close();
  gate.resolve('a');
  await Promise.all([first, second, closed]);
  await assert.rejects(bus.publish(load('c')), { code: 'DRAINING' });
  assert.deepEqual(served(), ['a', 'a']);
});

test('a bus accepts at most 64 changes at a time', async () => {
  const { all, bus } = threads(1);
  const gate = Promise.withResolvers<string>();
  all[0]!.prepare = () => gate.promise;
  const taken = Array.from({ length: 64 }, (_, i) => bus.publish(load(`m${i}`)));
  await assert.rejects(bus.publish(load('m')), { code: 'OVERLOADED', message: /already has 64/ });
  gate.resolve('m');
  await Promise.all(taken);
  await bus.publish(load('m'));
});

describe('a refresh with a model that cannot be served', () => {
  const reason = new ServeError('MODEL_NOT_READY', 'There is no memory for it.');

  test('succeeds if the model fails in every thread alike', async () => {
    const { all, bus, served } = threads(2);
    for (const thread of all) thread.failure = reason;
    await bus.publish({ kind: 'refresh' });
    assert.deepEqual(served(), ['refresh', 'refresh']);
  });

  test('fails with the reason if the model fails in one thread only, and is not retried at once', async () => {
    const { all, bus, served } = threads(2);
    all[1]!.prepare = async () => 'without the model';
    all[1]!.failure = reason;
    await assert.rejects(bus.publish({ kind: 'refresh' }), { message: reason.message });
    assert.deepEqual(served(), ['old', 'old']);
    assert.deepEqual(all[0]!.log, ['prepare refresh', 'abandon refresh']);
  });
});
