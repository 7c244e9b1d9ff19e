/** @module Records of finished requests, as the mailbox holds them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordReader } from '../../native/mailbox.ts';

const specs = ['a', 'b'].map((name) => ({
  name,
  type: 'float32' as const,
  dims: [-1],
  symbols: [''],
}));

/** One number as the only element of an output, in the mailbox itself. */
const inline = (value: number) => {
  const word = new Float64Array(1);
  new Float32Array(word.buffer)[0] = value;
  return [4, 1, 1, word[0]!];
};
/** An output that JavaScript fetches, of more elements than an array can have. */
const tooLarge = [-1, 1, 2 ** 53];

/** A record without an error for a slot, which JavaScript does not have to release. */
function record(slot: number, outputs: readonly (readonly number[])[]): number[] {
  const words = outputs.flat();
  return [slot, 0, 0, 1, 1, 0, 0, outputs.length, 9 + words.length, ...words];
}

test('the record after one whose outputs cannot be allocated is read from where it is', () => {
  const mailbox = new Float64Array([
    ...record(3, [tooLarge, inline(1)]),
    ...record(4, [inline(2), tooLarge]),
    ...record(5, [inline(3), inline(4)]),
  ]);
  const native = {
    mailbox: mailbox.buffer,
    message: () => '',
    packedStrings: () => new ArrayBuffer(0),
    strings: () => [],
    take: () => {},
  };
  const reader = new RecordReader(native, mailbox);
  const all = { outputs: undefined, packStrings: false, pooled: false };
  for (const [slot, name] of [
    [3, 'a'],
    [4, 'b'],
  ] as const) {
    reader.next();
    assert.equal(reader.slot, slot);
    assert.throws(() => reader.result(specs, all), {
      code: 'RESOURCE_EXHAUSTED',
      message: `Output '${name}' does not fit into memory: send fewer rows`,
    });
  }
  reader.next();
  assert.equal(reader.slot, 5);
  const { outputs } = reader.result(specs, all);
  assert.deepEqual(outputs.a!.data, Float32Array.of(3));
  assert.deepEqual(outputs.b!.data, Float32Array.of(4));
});
