/** @module The order in which texts are encoded, with an encoder whose tokens are characters. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ServeError } from '../../../runtime/errors.ts';
import {
  EncodeQueue,
  type Encoder,
  type Tokens,
} from '../../../runtime/text/tokenizer/encode-queue.ts';
import { tooManyTokens } from '../../../runtime/text/tokenizer/too-much-text.ts';
import type { Encoded, EncodeRequest } from '../../../runtime/text/tokenizer/wire.ts';

const codes = (text: string): number[] => Array.from(text, (each) => each.codePointAt(0)!);

/** An encoder that waits with each batch until it is told to go on. */
class HeldEncoder implements Encoder {
  readonly batches: (readonly string[])[] = [];
  readonly #held: (() => void)[] = [];

  async encode(texts: readonly string[], { offsets }: EncodeRequest): Promise<Tokens[]> {
    this.batches.push(texts);
    await new Promise<void>((resolve) => this.#held.push(resolve));
    if (texts.some((text) => text.includes('!'))) throw new Error('a bad text');
    return texts.map((text) => {
      const ids = codes(text);
      const places = ids.flatMap((_, i) => [i, i + 1]);
      return { ids, offsets: offsets ? Uint32Array.from(places) : undefined };
    });
  }

  async refusal(text: string, { limit }: EncodeRequest): Promise<ServeError | undefined> {
    return text.length > 2 * limit ? tooManyTokens(1, limit) : undefined;
  }

  /** Lets the oldest batch end, and waits until what follows has begun. */
  async next(): Promise<void> {
    this.#held.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets all batches end. */
  async all(): Promise<void> {
    await this.next();
    while (this.#held.length > 0) await this.next();
  }
}

let last = 0;
const requestOf = (
  texts: readonly string[],
  options: Partial<EncodeRequest> = {},
): EncodeRequest => {
  last += 1;
  return { kind: 'encode', id: last, texts, offsets: false, split: false, limit: 1e6, ...options };
};

/** Adds a request. The answer is there when it has one. */
function add(queue: EncodeQueue, request: EncodeRequest) {
  const added: { answer?: Encoded | Error; drop: () => void } = { drop: () => {} };
  added.drop = queue.add(request, (answer) => {
    assert.equal(added.answer, undefined);
    added.answer = answer;
  });
  return added;
}

/** The texts of an answer. */
function textsOf(answer: Encoded | Error | undefined): string[] {
  assert.ok(answer !== undefined && !(answer instanceof Error), String(answer));
  const ids = [...new Int32Array(answer.ids)];
  return [...new Int32Array(answer.lengths)].map((length) =>
    String.fromCodePoint(...ids.splice(0, length)),
  );
}

describe('a queue', () => {
  test('answers each request with its own texts, in any mix', async () => {
    const text = fc.string({ maxLength: 9000 }).map((each) => each.replaceAll('!', '?'));
    const request = fc.record({ texts: fc.array(text, { maxLength: 6 }), offsets: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 8 }), async (requests) => {
        const encoder = new HeldEncoder();
        const queue = new EncodeQueue(encoder);
        const added = requests.map(({ texts, offsets }) =>
          add(queue, requestOf(texts, { offsets })),
        );
        await encoder.all();
        for (const [i, { answer }] of added.entries()) {
          assert.deepEqual(textsOf(answer), requests[i]!.texts);
          assert.equal((answer as Encoded).offsets !== undefined, requests[i]!.offsets);
        }
        await queue.idle();
      }),
      { numRuns: 50 },
    );
  });

  test('encodes small requests beside a large one', async () => {
    const encoder = new HeldEncoder();
    const queue = new EncodeQueue(encoder);
    const large = add(queue, requestOf(Array.from({ length: 40 }, () => 'x'.repeat(8000))));
    await new Promise((resolve) => setImmediate(resolve));
    const small = [add(queue, requestOf(['one'])), add(queue, requestOf(['two', 'three']))];
    // Two batches are in progress when the small requests arrive, which are part of the third.
    for (let i = 0; i < 3; i += 1) await encoder.next();
    assert.deepEqual(
      small.map(({ answer }) => textsOf(answer)),
      [['one'], ['two', 'three']],
    );
    assert.equal(large.answer, undefined);
    await encoder.all();
    assert.equal(textsOf(large.answer).length, 40);
  });

  test('goes on with a large request while small ones keep coming', async () => {
    const encoder = new HeldEncoder();
    const queue = new EncodeQueue(encoder);
    const large = add(queue, requestOf(Array.from({ length: 20 }, () => 'x'.repeat(8000))));
    for (let i = 0; i < 40 && large.answer === undefined; i += 1) {
      for (let j = 0; j < 2; j += 1) add(queue, requestOf(['y'.repeat(5000)]));
      await encoder.next();
    }
    assert.equal(textsOf(large.answer).length, 20);
    await encoder.all();
  });

  test('has no more than two batches in progress', async () => {
    const encoder = new HeldEncoder();
    const queue = new EncodeQueue(encoder);
    for (let i = 0; i < 9; i += 1) add(queue, requestOf(['y'.repeat(16_000)]));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(encoder.batches.length, 2);
    await encoder.next();
    assert.equal(encoder.batches.length, 3);
    await encoder.all();
  });

  test('encodes long texts one after the other, and others beside them', async () => {
    const encoder = new HeldEncoder();
    const queue = new EncodeQueue(encoder);
    const long = [
      add(queue, requestOf(['x'.repeat(20_000)])),
      add(queue, requestOf(['before', 'y'.repeat(20_000), 'after'])),
    ];
    const short = add(queue, requestOf(['short']));
    await new Promise((resolve) => setImmediate(resolve));
    const lengths = () => encoder.batches.map((texts) => texts.map(({ length }) => length));
    assert.deepEqual(lengths(), [[20_000], [6]]);
    await encoder.next();
    // Its turn comes before that of the second long text, because less of it was taken.
    assert.deepEqual(lengths().slice(2), [[5, 20_000]]);
    await encoder.all();
    assert.deepEqual(textsOf(short.answer), ['short']);
    assert.deepEqual(
      long.map(({ answer }) => textsOf(answer).length),
      [1, 3],
    );
    await queue.idle();
  });

  test('fails only the request whose text cannot be encoded', async () => {
    const encoder = new HeldEncoder();
    const queue = new EncodeQueue(encoder);
    // The first two are batches of their own; the others share the third.
    add(queue, requestOf(['a']));
    add(queue, requestOf(['b']));
    const bad = add(queue, requestOf(['fine', 'bad!']));
    const good = add(queue, requestOf(['good']));
    await encoder.all();
    assert.deepEqual(textsOf(good.answer), ['good']);
    assert.equal((bad.answer as { code?: string }).code, 'INVALID_ARGUMENT');
    assert.match(String(bad.answer), /cannot encode the text: a bad text/);
    const alone = add(queue, requestOf(['bad!']));
    await encoder.all();
    assert.match(String(alone.answer), /a bad text/);
  });

  test('refuses too many tokens, of all texts together or of one', async () => {
    const encoder = new HeldEncoder();
    const queue = new EncodeQueue(encoder);
    const limit = 10;
    const many = add(queue, requestOf(['12345', '67890', 'x'], { limit }));
    const exact = add(queue, requestOf(['12345', '67890'], { limit }));
    const long = add(queue, requestOf(['a', '12345'.repeat(5)], { limit }));
    await encoder.all();
    for (const { answer } of [many, long]) {
      assert.equal((answer as { code?: string }).code, 'PAYLOAD_TOO_LARGE');
    }
    assert.deepEqual(textsOf(exact.answer), ['12345', '67890']);
    assert.ok(encoder.batches.flat().every((text) => text.length < 25));
  });

  test('begins nothing of a request that is dropped', async () => {
    const encoder = new HeldEncoder();
    const queue = new EncodeQueue(encoder);
    const first = add(
      queue,
      requestOf(['x'.repeat(20_000), 'y'.repeat(20_000), 'z'.repeat(20_000)]),
    );
    const other = add(queue, requestOf(['other']));
    await new Promise((resolve) => setImmediate(resolve));
    first.drop();
    await encoder.all();
    assert.equal(first.answer, undefined);
    assert.ok(!encoder.batches.flat().some((text) => text.startsWith('z')));
    assert.deepEqual(textsOf(other.answer), ['other']);
    await queue.idle();
  });

  test('keeps texts apart whose special tokens are read differently', async () => {
    const encoder = new HeldEncoder();
    const queue = new EncodeQueue(encoder);
    add(queue, requestOf(['a']));
    add(queue, requestOf(['b']));
    add(queue, requestOf(['c'], { split: true }));
    add(queue, requestOf(['d']));
    add(queue, requestOf(['e'], { split: true }));
    await encoder.all();
    assert.deepEqual(encoder.batches, [['a'], ['b'], ['c', 'e'], ['d']]);
  });
});
