/** @module Tests that files of 20 MiB whose headers are read for long leave the thread to other requests meanwhile. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeError } from '../../../../runtime/errors.ts';
import { MAX_IMAGE_BYTES } from '../../../../runtime/image/decode/index.ts';
import { HeaderReader, readHeader } from '../../../../runtime/image/decode/read-header.ts';
import { checkTurns } from '../../../support/turns.ts';
import { big16, bytes, gif, little16, pngChunk, segment, smallPng } from './image-parts.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** A file of the largest size, which begins with the head and goes on with the unit. */
function filled(head: Uint8Array, unit: Uint8Array): Bytes {
  const file = new Uint8Array(MAX_IMAGE_BYTES);
  file.set(head);
  file.set(unit, head.length);
  let length = unit.length;
  // What is there is copied behind itself, which is doubled so.
  while (head.length + length < file.length) {
    file.copyWithin(head.length + length, head.length, head.length + length);
    length *= 2;
  }
  return file;
}

const START = Uint8Array.of(0xff, 0xd8);
const FRAME = segment(
  0xc0,
  bytes(Uint8Array.of(8), big16(8), big16(8), Uint8Array.of(1, 1, 17, 0)),
);
const SCAN = segment(0xda, Uint8Array.of(1, 1, 0, 0, 63, 0));
const jpeg = bytes(START, FRAME, SCAN);
/** The signature and the first chunk. */
const pngHead = smallPng().slice(0, 33);
const screen = bytes('GIF89a', little16(8), little16(8), Uint8Array.of(0, 0, 0));
const webp = bytes('RIFF', Uint8Array.of(0, 0, 0, 0), 'WEBPVP8X', Uint8Array.of(10, 0, 0, 0));

/** Whether a file is refused is told by its code; others are left to the decoder. */
const FILES: Readonly<Record<string, readonly [file: () => Bytes, code: string | undefined]>> = {
  'a JPEG that ends with halves of end markers': [
    () => filled(jpeg, Uint8Array.of(0xd9)),
    undefined,
  ],
  'a JPEG of fill bytes': [() => filled(START, Uint8Array.of(0xff)), 'INVALID_IMAGE'],
  'a JPEG of fill bytes between segments': [
    () => filled(START, bytes(new Uint8Array(5000).fill(0xff), segment(0xe0, new Uint8Array(0)))),
    'INVALID_IMAGE',
  ],
  'a GIF of empty extensions': [
    () => filled(screen, Uint8Array.of(0x21, 0xfe, 0)),
    'INVALID_IMAGE',
  ],
  'a GIF of short blocks': [
    () => filled(gif(8, 8).slice(0, -1), Uint8Array.of(0x21, 0xfe, 1, 1, 0)),
    undefined,
  ],
  'a PNG of empty chunks': [() => filled(pngHead, pngChunk('teXt', new Uint8Array(0))), undefined],
  'a WebP of empty chunks': [
    () => filled(bytes(webp, new Uint8Array(10)), bytes('ICCP', Uint8Array.of(0, 0, 0, 0))),
    undefined,
  ],
};

const options = { maxPixels: 25_000_000, tolerant: false };

async function codeOf(file: Bytes): Promise<string | undefined> {
  try {
    await readHeader(file, options);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ServeError);
    return error.code;
  }
}

describe('the turns of a thread are short while it reads the header of', () => {
  for (const [name, [make, code]] of Object.entries(FILES)) {
    test(name, async (t) => {
      const file = make();
      await checkTurns(t, async () => assert.equal(await codeOf(file), code));
    });
  }
});

test('headers are read one after the other, because the turns of several would add up', async (t) => {
  const file = filled(jpeg, Uint8Array.of(0xd9));
  const reader = new HeaderReader();
  await checkTurns(t, () =>
    Promise.all(Array.from({ length: 16 }, () => reader.read(file, options))),
  );
});
