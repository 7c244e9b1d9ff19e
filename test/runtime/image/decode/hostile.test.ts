/** @module Tests that hostile and broken files are refused with a sentence, soon, and without a rise of memory. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeError } from '../../../../runtime/errors.ts';
import { assertBelow, wallMs } from '../../../support/below.ts';
import { hostileFiles, oddFiles } from './hostile-files.ts';
import { expectedImages, imageFile, OPTIONS, openDecoder } from './support.ts';

const decoder = openDecoder();
/** Within this time a file is refused, milliseconds. */
const LIMIT_MS = 200;
/** A busy machine may be slow once. */
const TRIES = 3;

async function outcome(file: Uint8Array, tolerant = false): Promise<string> {
  try {
    const decoded = await decoder.decode(file, { ...OPTIONS, tolerant });
    decoded.release();
    return 'decoded';
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    assert.match(error.message, /^[A-Z][^\n]*\.$/);
    return error.code;
  }
}

describe('is refused:', () => {
  for (const [name, file, code] of hostileFiles) {
    test(name, async () => {
      const content = file();
      const refuse = async () => assert.equal(await outcome(content), code);
      await assertBelow(LIMIT_MS, TRIES, () => wallMs(refuse));
    });
  }
});

describe('the advice to tolerate a damaged end', () => {
  async function message(file: Uint8Array, tolerant: boolean): Promise<string> {
    try {
      (await decoder.decode(file, { ...OPTIONS, tolerant })).release();
      return 'decoded';
    } catch (error) {
      return (error as ServeError).message;
    }
  }

  test('is given if some pixels are there', async () => {
    for (const name of ['baseline.jpg', 'rgb.png', 'animated.gif']) {
      const file = imageFile(name);
      const part = file.subarray(0, Math.floor(file.length * 0.9));
      assert.match(await message(part, false), /write tolerant=true/, name);
    }
  });

  test('is not given for formats that are decoded as a whole', async () => {
    for (const name of ['lossy.webp', '444.avif']) {
      const file = imageFile(name);
      const part = file.subarray(0, Math.floor(file.length * 0.9));
      for (const tolerant of [false, true]) {
        assert.match(await message(part, tolerant), /; send a file that is whole/, name);
      }
    }
  });

  test('is not given if the header is not there, or if it was followed', async () => {
    for (const [name, bytes] of [
      ['baseline.jpg', 30],
      ['rgb.png', 8],
      ['rgb.png', 20],
      ['animated.gif', 13],
      ['animated.gif', 8],
    ] as const) {
      const part = imageFile(name).subarray(0, bytes);
      for (const tolerant of [false, true]) {
        const text = await message(part, tolerant);
        assert.match(text, /^The image ends before its .*; send a file that is whole/, name);
      }
    }
  });
});

describe('is decoded:', () => {
  for (const [name, file] of oddFiles) {
    test(name, async () => {
      assert.equal(await outcome(file()), 'decoded');
    });
  }

  test('the part that is there, if a damaged end is tolerated', async () => {
    for (const name of ['baseline.jpg', 'progressive.jpg', 'rgb.png', 'animated.gif']) {
      const file = imageFile(name);
      const part = file.slice(0, Math.floor(file.length * 0.9));
      assert.deepEqual(
        [await outcome(part), await outcome(part, true)],
        ['INVALID_IMAGE', 'decoded'],
        name,
      );
    }
  });
});

describe('files with flipped bits', () => {
  const CODES = ['decoded', 'INVALID_IMAGE', 'IMAGE_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];
  const FLIPS = 40;

  test('are decoded or refused', async () => {
    let state = 1;
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    for (const name of Object.keys(expectedImages())) {
      const whole = imageFile(name);
      for (let i = 0; i < FLIPS; i += 1) {
        const file = whole.slice();
        // Headers are shorter than pixels, and do more harm.
        const place = random(i % 2 === 0 ? Math.min(200, file.length) : file.length);
        file[place]! ^= 1 << random(8);
        const found = await outcome(file);
        assert.ok(CODES.includes(found), `${name}, byte ${place}: ${found}`);
      }
    }
  });
});

describe('memory', () => {
  const MIB = 1024 * 1024;

  test('is given back after all of them', async () => {
    // The files are made once, because those that are made again would be garbage of the test.
    const files = hostileFiles.map(([, file]) => file()).filter(({ length }) => length < MIB);
    const all = async () => {
      for (const file of files) await outcome(file);
    };
    for (let i = 0; i < 3; i += 1) await all();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 3; i += 1) await all();
    const rise = process.memoryUsage().rss - before;
    assert.ok(rise < 64 * MIB, `rose by ${rise / MIB} MiB`);
    assert.equal(decoder.inFlight, 0);
  });
});
