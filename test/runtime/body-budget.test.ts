import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ByteBudget } from '../../native/index.ts';
import { BodyBudget, BodyShare } from '../../runtime/body-budget.ts';
import { ServeError } from '../../runtime/errors.ts';

/** A budget that fails the test if bytes are released twice. */
function budgetOf(limit: number): BodyBudget & { readonly taken: number } {
  let taken = 0;
  const bytes: ByteBudget = {
    limit,
    get taken() {
      return taken;
    },
    take(more) {
      if (taken + more > limit) return false;
      taken += more;
      return true;
    },
    give(less) {
      taken -= less;
      assert.ok(taken >= 0, 'a byte is given back once');
    },
  };
  return Object.defineProperty(new BodyBudget(bytes), 'taken', { get: () => taken }) as never;
}

/** A generator of whole numbers from 0 up to `below` exclusively, which are the same for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('a share of the budget', () => {
  test('is refused while other shares hold the rest, and the error says when to retry', () => {
    const budget = budgetOf(100);
    const first = new BodyShare(budget);
    const second = new BodyShare(budget);
    first.take(60);
    assert.throws(() => second.take(41), { code: 'OVERLOADED', retryAfterMs: 1000 });
    assert.throws(() => second.take(101), { code: 'PAYLOAD_TOO_LARGE' });
    first.close();
    second.take(100);
    second.close();
    second.close();
    assert.equal(budget.taken, 0);
  });

  test('takes nothing after it is closed, and releases at once the bytes that it adopts then', () => {
    const budget = budgetOf(100);
    const share = new BodyShare(budget);
    share.close();
    assert.throws(() => share.take(1), { code: 'CANCELLED' });
    assert.equal(budget.bytes.take(7), true);
    share.adopt(7);
    assert.equal(budget.taken, 0);
  });

  test('keeps its memory, and the bytes that it has taken, while another thread reads the memory', async () => {
    const budget = budgetOf(100);
    const share = new BodyShare(budget);
    const [body, other] = [new ArrayBuffer(10), new ArrayBuffer(10)];
    share.take(20);
    share.own(body);
    share.own(other);
    let finish = () => {};
    const reading = share.during(body, new Promise<void>((resolve) => (finish = resolve)));
    share.close();
    assert.equal(budget.taken, 20);
    assert.equal(body.byteLength, 10);
    finish();
    await reading;
    assert.equal(budget.taken, 0);
    assert.deepEqual([body.byteLength, other.byteLength], [0, 0]);
  });

  test('does not free memory that is lent to the engine until the engine has finished reading it', () => {
    const share = new BodyShare(budgetOf(100));
    const body = new ArrayBuffer(10);
    share.own(body);
    share.lend();
    share.close();
    assert.equal(body.byteLength, 10);
    share.reclaim();
    assert.equal(body.byteLength, 0);
  });

  test('releases every byte exactly once, after any sequence of operations', async () => {
    for (let seed = 0; seed < 2000; seed += 1) {
      const random = randomOf(seed);
      const budget = budgetOf(1000);
      await Promise.all(Array.from({ length: 5 }, () => oneRequest(budget, random)));
      assert.equal(budget.taken, 0, `seed ${seed}`);
    }
  });
});

/** A request that takes, gives and adopts bytes, lets other threads read them, and is closed, in random order. */
async function oneRequest(budget: BodyBudget, random: (below: number) => number): Promise<void> {
  const share = new BodyShare(budget);
  const work: Promise<unknown>[] = [];
  const closeAt = random(12);
  for (let step = 0; step < 12; step += 1) {
    if (step === closeAt) share.close();
    const bytes = random(200);
    const memory = new ArrayBuffer(bytes);
    try {
      switch (random(6)) {
        case 0:
          share.take(bytes);
          break;
        case 1:
          share.give(bytes);
          break;
        case 2:
          if (budget.bytes.take(bytes)) share.adopt(bytes);
          break;
        case 3:
          share.own(memory);
          work.push(share.during(memory, Promise.resolve()));
          break;
        case 4:
          work.push(share.during(memory, Promise.reject(new Error('it fails'))).catch(() => {}));
          break;
        default:
          await undefined;
      }
    } catch (error) {
      assert.ok(error instanceof ServeError);
    }
  }
  share.close();
  await Promise.all(work);
}
