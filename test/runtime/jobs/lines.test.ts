import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChunkBuilder, type Line, LineSplitter } from '../../../runtime/jobs/lines.ts';

function split(pieces: readonly Uint8Array[], limit = 1000): Line[] {
  const splitter = new LineSplitter(limit);
  return [...pieces.flatMap((piece) => splitter.push(piece)), ...splitter.end()];
}

const bytes = (text: string) => new TextEncoder().encode(text);

test('lines are the same however they are cut into pieces', () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, ' ').trim());
  fc.assert(
    fc.property(
      fc.array(line),
      fc.array(fc.nat()),
      fc.constantFrom('\n', '\r\n'),
      (lines, cuts, end) => {
        const whole = bytes(lines.map((each) => `${each}${end}`).join(''));
        const at = [0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length];
        at.sort((a, b) => a - b);
        const pieces = at.slice(1).map((to, i) => whole.slice(at[i]!, to));
        assert.deepEqual(
          split(pieces),
          lines.filter((each) => each !== ''),
        );
      },
    ),
  );
});

test('the last line needs no line break, and blank lines are left out', () => {
  assert.deepEqual(split([bytes('\n{"a":1}\n\n  \r\n{"b":2}')]), ['{"a":1}', '{"b":2}']);
  assert.deepEqual(split([bytes('\n\n')]), []);
  assert.deepEqual(split([]), []);
});

test('a long line and one that is not UTF-8 are errors of these lines alone', () => {
  const lines = split(
    [bytes('1234\n123'), bytes('45\n'), new Uint8Array([0xff, 10]), bytes('12')],
    4,
  );
  assert.deepEqual(lines, [
    '1234',
    { code: 'PAYLOAD_TOO_LARGE', message: 'The line is longer than 4 bytes.' },
    { code: 'INVALID_JSON', message: 'The line is not valid UTF-8.' },
    '12',
  ]);
});

test('a line without end takes no memory beyond its limit', () => {
  const splitter = new LineSplitter(1000);
  const piece = new Uint8Array(1024 * 1024).fill(0x61);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 256; i += 1) splitter.push(piece);
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1024 * 1024);
  assert.equal(splitter.push(bytes('\nx\n')).length, 2);
});

test('chunks hold at most 64 lines, and few long ones', () => {
  const builder = new ChunkBuilder(1000);
  const chunks = Array.from({ length: 130 }, (_, i) => builder.add(`${i}`)).filter((each) => each);
  const last = builder.finish()!;
  assert.deepEqual(
    [...chunks, last].map((each) => [each!.chunk, each!.firstLine, each!.lines.length]),
    [
      [0, 0, 64],
      [1, 64, 64],
      [2, 128, 2],
    ],
  );
  assert.equal(builder.finish(), undefined);
  assert.equal(builder.count, 130);
  const long = new ChunkBuilder(1000);
  assert.equal(long.add('x'.repeat(200_000)), undefined);
  assert.equal(long.add('x'.repeat(200_000))?.lines.length, 2);
});

test('a batch with too many lines is refused', () => {
  const builder = new ChunkBuilder(2);
  builder.add('1');
  builder.add('2');
  assert.throws(() => builder.add('3'), { code: 'PAYLOAD_TOO_LARGE' });
});
