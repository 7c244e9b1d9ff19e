/** @module One order for all changes of state. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Applied,
  type Apply,
  ChangeSequencer,
  type StateChange,
} from '../../runtime/index.ts';

/** A member that keeps what it was told, and takes its time over odd loads. */
class Member {
  readonly seen: string[] = [];
  failure: Applied['failure'];

  readonly apply: Apply = async (change) => {
    await Promise.resolve();
    const name = change.kind === 'refresh' ? 'refresh' : change.name;
    if (this.failure === undefined) this.seen.push(name);
    return { failure: this.failure, state: this.seen.at(-1) ?? '' };
  };
}

const load = (name: string): StateChange => ({ kind: 'load', name, override: undefined });

describe('the order of changes', () => {
  test('is the same for every member, and a change has ended before the next begins', async () => {
    const running = new Set<string>();
    let most = 0;
    const members = [new Member(), new Member(), new Member()];
    const slow = members.map(
      ({ apply }, index): Apply =>
        async (change) => {
          running.add(change.kind === 'load' ? change.name : '');
          most = Math.max(most, running.size);
          for (let i = 0; i < index; i += 1) await Promise.resolve();
          const applied = await apply(change);
          return applied;
        },
    );
    const bus = new ChangeSequencer(() => slow);
    await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => bus.publish(load(name)).then(() => running.delete(name))),
    );
    for (const { seen } of members) assert.deepEqual(seen, ['a', 'b', 'c', 'd']);
    assert.equal(most, 1);
  });

  test('a change is over when every member has made it', async () => {
    const gate = Promise.withResolvers<void>();
    const late: Apply = async () => {
      await gate.promise;
      return { failure: undefined, state: 'a' };
    };
    const bus = new ChangeSequencer(() => [new Member().apply, late]);
    let over = false;
    const published = bus.publish(load('a')).then(() => {
      over = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(over, false);
    gate.resolve();
    await published;
  });

  test('a change that no member can make is told with its code, and the next one is made', async () => {
    const member = new Member();
    const bus = new ChangeSequencer(() => [member.apply]);
    member.failure = { code: 'MODEL_NOT_FOUND', message: 'There is no such model.' };
    await assert.rejects(bus.publish(load('a')), {
      code: 'MODEL_NOT_FOUND',
      message: 'There is no such model.',
    });
    member.failure = undefined;
    await bus.publish(load('b'));
    assert.deepEqual(member.seen, ['b']);
  });

  test('members that end with different states make the change again, until they agree', async () => {
    let reads = 0;
    // The second member reads a file that is replaced just then.
    const second: Apply = async () => {
      reads += 1;
      return { failure: undefined, state: reads === 1 ? 'old' : 'a' };
    };
    const first = new Member();
    await new ChangeSequencer(() => [first.apply, second]).publish(load('a'));
    assert.deepEqual(first.seen, ['a', 'a']);
  });

  test('members that never agree are an error of the server', async () => {
    let count = 0;
    const restless: Apply = async () => {
      count += 1;
      return { failure: undefined, state: String(count) };
    };
    const bus = new ChangeSequencer(() => [restless, restless]);
    await assert.rejects(bus.publish(load('a')), { code: 'INTERNAL', message: /could not agree/ });
  });
});
