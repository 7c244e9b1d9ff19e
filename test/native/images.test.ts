/** @module Images become inputs as Pillow resizes and pastes them, to the byte. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import {
  type CanvasForm,
  MillraceError,
  openImages,
  type Pixels,
  type Placement,
  type ResampleFilter,
} from '../../native/index.ts';
import { FLOAT16, toHalfBits } from '../../runtime/half-floats.ts';
import { runChild } from './child.ts';
import { engineOptions } from './support.ts';

type Kind = 'noise' | 'gradient' | 'extremes';

/** What `resample.py` makes with Pillow and torchvision. */
interface Expected {
  readonly resized: readonly {
    readonly kind: Kind;
    readonly size: readonly [number, number, 1 | 3, number, number];
    /** One for each of the filters. */
    readonly digests: readonly string[];
  }[];
  readonly canvases: readonly {
    readonly size: readonly [number, number, number, number];
    readonly place: readonly [number, number];
    readonly grey: boolean;
    readonly digest: string;
  }[];
  readonly torchvision: readonly {
    readonly filter: ResampleFilter;
    readonly kind: Kind;
    readonly size: readonly [number, number, number, number];
    readonly pixels: string;
  }[];
}

const file = path.resolve(import.meta.dirname, '../fixtures/images/resample.json');
const expected: Expected = JSON.parse(readFileSync(file, 'utf8'));
const filters = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'] as const;
const images = openImages(engineOptions());

/** The same images as `pixels` in `resample.py`. */
function pixelsOf(kind: Kind, width: number, height: number, channels: 1 | 3): Pixels {
  const data = new Uint8Array(width * height * channels);
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const row = Math.floor(i / (width * channels));
    if (kind === 'gradient') data[i] = i * 5 + row * 3;
    else data[i] = kind === 'noise' ? state >>> 24 : 255 * (state >>> 31);
  }
  return { data, width, height, channels };
}

/** The placement that only resizes. */
const whole = (width: number, height: number, filter: ResampleFilter = 'bilinear'): Placement => ({
  width,
  height,
  filter,
  canvasWidth: width,
  canvasHeight: height,
  left: 0,
  top: 0,
});

const bytesOf = (channels: 1 | 3): CanvasForm => ({
  layout: 'uint8-hwc',
  channels,
  fill: Array(channels).fill(0),
});

const digest = (data: Uint8Array | Uint16Array | Float32Array) =>
  createHash('sha256').update(data).digest('hex').slice(0, 16);

const invalid = (pattern: RegExp) => (error: unknown) =>
  error instanceof MillraceError &&
  error.code === 'INVALID_ARGUMENT' &&
  pattern.test(error.message);

describe('a resized image has the bytes of Pillow', () => {
  for (const { kind, size, digests } of expected.resized) {
    const [width, height, channels, newWidth, newHeight] = size;
    test(`${channels} channels of ${kind}, ${width} × ${height} to ${newWidth} × ${newHeight}`, async () => {
      const pixels = pixelsOf(kind, width, height, channels);
      const results = await Promise.all(
        filters.map((filter) =>
          images.place(pixels, whole(newWidth, newHeight, filter), bytesOf(channels)),
        ),
      );
      assert.deepEqual(results.map(digest), digests);
    });
  }
});

/**
 * torchvision computes with weights of 16 bits, so it is not the same to the byte. The differences are at most 1, and
 * on average 0 to 0.0014 (bilinear) and 0 to 0.0093 (bicubic).
 */
describe('a resized image is within one of the bytes of torchvision', () => {
  for (const { filter, kind, size, pixels } of expected.torchvision) {
    const [width, height, newWidth, newHeight] = size;
    test(`${filter}, ${kind}, ${width} × ${height} to ${newWidth} × ${newHeight}`, async () => {
      const source = pixelsOf(kind, width, height, 3);
      const ours = await images.place(source, whole(newWidth, newHeight, filter), bytesOf(3));
      const theirs = Buffer.from(pixels, 'base64');
      assert.equal(ours.length, theirs.length);
      const differences = Array.from(ours, (byte, i) => Math.abs(byte - theirs[i]!));
      const sum = differences.reduce((total, difference) => total + difference, 0);
      assert.ok(Math.max(...differences) <= 1, `one differs by ${Math.max(...differences)}`);
      assert.ok(sum / ours.length <= 0.02, `they differ by ${sum / ours.length} on average`);
    });
  }
});

describe('a canvas', () => {
  for (const { size, place, grey, digest: wanted } of expected.canvases) {
    const [width, height, newWidth, newHeight] = size;
    const [left, top] = place;
    const name = `${newWidth} × ${newHeight} at (${left}, ${top})${grey ? ' in grey' : ''}`;
    test(`is as Pillow pastes the image: ${name}`, async () => {
      const placement = { ...whole(newWidth, newHeight, 'bicubic'), left, top };
      const canvas = await images.place(
        pixelsOf('noise', width, height, 3),
        { ...placement, canvasWidth: 40, canvasHeight: 30 },
        { layout: 'uint8-hwc', channels: grey ? 1 : 3, fill: grey ? [9] : [1, 2, 3] },
      );
      assert.equal(canvas.length, 40 * 30 * (grey ? 1 : 3));
      assert.equal(digest(canvas), wanted);
    });
  }

  const pixels = pixelsOf('noise', 20, 10, 3);
  const placement = { ...whole(20, 10), canvasWidth: 24, canvasHeight: 16, left: 3, top: 2 };
  const area = 24 * 16;
  const plain = () => images.place(pixels, placement, { ...bytesOf(3), fill: [7, 8, 9] });
  /** The index of channel `c` of pixel `i`. */
  const layouts = {
    'uint8-hwc': (i: number, c: number) => i * 3 + c,
    'uint8-chw': (i: number, c: number) => c * area + i,
    'float32-hwc': (i: number, c: number) => i * 3 + c,
    'float32-chw': (i: number, c: number) => c * area + i,
  };
  for (const [layout, indexOf] of Object.entries(layouts)) {
    for (const reverse of [false, true]) {
      test(`as ${layout}${reverse ? ' in reverse' : ''} has the pixels of the bytes`, async () => {
        const float = layout.startsWith('float32');
        const [scale, mean, std] = [1 / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]] as const;
        const bytes = await plain();
        const canvas = await images.place(pixels, placement, {
          layout: layout as CanvasForm['layout'],
          channels: 3,
          reverse,
          fill: float ? [-0.5, 0, 2.25] : [7, 8, 9],
          ...(float ? { scale, mean, std } : {}),
        });
        assert.equal(canvas instanceof Float32Array, float);
        assert.equal(canvas.length, area * 3);
        for (let i = 0; i < area; i++) {
          const [x, y] = [i % 24, Math.floor(i / 24)];
          const inside = x >= 3 && x < 23 && y >= 2 && y < 12;
          for (let c = 0; c < 3; c++) {
            const byte = bytes[i * 3 + (reverse ? 2 - c : c)]!;
            const shown = float ? (byte * scale - mean[c]!) / std[c]! : byte;
            const fill = float ? [-0.5, 0, 2.25][c]! : [7, 8, 9][c]!;
            const found = canvas[indexOf(i, c)]!;
            assert.ok(
              Math.abs(found - (inside ? shown : fill)) < 1e-6,
              `(${x}, ${y}) has ${found}`,
            );
          }
        }
      });
    }
  }

  test('repeats a grey channel, in floats and in bytes', async () => {
    const grey = pixelsOf('noise', 20, 10, 1);
    for (const layout of ['uint8-hwc', 'uint8-chw', 'float32-hwc', 'float32-chw'] as const) {
      const one = await images.place(grey, placement, { layout, channels: 1, fill: [5] });
      const three = await images.place(grey, placement, { layout, channels: 3, fill: [5, 5, 5] });
      const planes = layout.endsWith('chw');
      for (let i = 0; i < three.length; i++) {
        assert.equal(three[i], one[planes ? i % area : Math.floor(i / 3)]);
      }
    }
  });

  test('of 16-bit floats has the nearest to those of 32 bits', async () => {
    const normal = { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
    const form = { ...normal, channels: 3, fill: [-0.5, 0, 2.25] } as const;
    for (const order of ['hwc', 'chw'] as const) {
      const whole = await images.place(pixels, placement, { ...form, layout: `float32-${order}` });
      const halves = await images.place(pixels, placement, { ...form, layout: `float16-${order}` });
      assert.ok(halves instanceof Uint16Array);
      const expected = Array.from(whole, (value) => toHalfBits(FLOAT16, value));
      assert.deepEqual(Array.from(halves), expected);
    }
  });

  test('of floats is not normalised by default', async () => {
    const floats = await images.place(pixels, placement, {
      layout: 'float32-hwc',
      channels: 3,
      fill: [7, 8, 9],
    });
    assert.deepEqual(Array.from(floats), Array.from(await plain()));
  });

  const refusals: Readonly<Record<string, readonly [Partial<Pixels>, object, object, RegExp]>> = {
    'too few bytes': [{ data: new Uint8Array(599) }, {}, {}, /599 bytes: expected 600/],
    'too many bytes': [{ data: new Uint8Array(601) }, {}, {}, /601 bytes: expected 600/],
    'no width': [{ width: 0 }, {}, {}, /0 × 10 pixels: expected whole numbers from 1 to 65535/],
    'a long side': [{ width: 65536 }, {}, {}, /The image has 65536 × 10/],
    'a side that overflows': [{ width: 2 ** 53, height: 2 ** 53 }, {}, {}, /The image has/],
    'other channels': [{ channels: 4 as 3 }, {}, {}, /4 channels: expected 1 or 3/],
    'a new side of 0': [{}, { height: 0 }, {}, /The resized image has 20 × 0/],
    'a fractional side': [{}, { width: 1.5 }, {}, /The resized image has 1.5/],
    'a side that is not a number': [{}, { width: Number.NaN }, {}, /The resized image has nan/],
    'a negative canvas': [{}, { canvasWidth: -1 }, {}, /The canvas has -1 × 16/],
    'a place in parts of pixels': [{}, { left: 0.5 }, {}, /lies at \(0.5\d*, 2\)/],
    'a place far away': [{}, { top: -65536 }, {}, /lies at \(3, -65536\)/],
    'another filter': [{}, { filter: 'mitchell' }, {}, /The filter is unknown/],
    'a canvas of too many bytes': [
      {},
      { canvasWidth: 65535, canvasHeight: 65535 },
      {},
      /12884508675 bytes: expected at most 2147483648/,
    ],
    'another layout': [{}, {}, { layout: 'uint8' }, /The layout is unknown/],
    'other channels of the canvas': [{}, {}, { channels: 2, fill: [0, 0] }, /2 channels/],
    'a fill for other channels': [
      {},
      {},
      { fill: [0] },
      /fill has 1 numbers: expected one for each/,
    ],
    'a fill that is no byte': [{}, {}, { fill: [0, 256, 0] }, /The fill 256 is not a byte/],
    'a fill that is infinite': [
      {},
      {},
      { layout: 'float32-chw', fill: [0, 1e300, 0] },
      /is not a number: expected a finite one/,
    ],
    'a std of 0': [{}, {}, { std: [1, 0, 1] }, /a std is 0/],
    'a mean that is not a number': [{}, {}, { mean: [1, Number.NaN, 1] }, /a mean or a std/],
  };
  for (const [name, [changes, place, form, message]] of Object.entries(refusals)) {
    test(`is refused for ${name}`, async () => {
      await assert.rejects(
        images.place({ ...pixels, ...changes }, { ...placement, ...place }, {
          ...bytesOf(3),
          ...form,
        } as CanvasForm),
        invalid(message),
      );
    });
  }

  test('is refused for pixels that are no typed array', async () => {
    const none = { ...pixels, data: {} as Uint8Array };
    await assert.rejects(images.place(none, placement, bytesOf(3)), invalid(/has 0 bytes/));
  });
});

describe('an overlay', () => {
  const pixels = pixelsOf('noise', 4, 3, 3);
  const mask = (...counts: number[]) => ({
    width: 4,
    height: 3,
    counts: Uint32Array.from(counts),
    area: 0,
    box: [0, 0, 0, 0] as const,
  });

  test('blends each mask in its colour, down the columns, and leaves the image as it is', async () => {
    const before = pixels.data.slice();
    const colors = [
      [255, 0, 10],
      [0, 200, 7],
    ] as const;
    const masks = [mask(2, 5, 5), mask(0, 1, 10, 1)];
    const result = await images.overlay(pixels, masks, colors, 0.25);
    const wanted = before.slice();
    for (const [index, places] of [
      [2, 3, 4, 5, 6],
      [0, 11],
    ].entries()) {
      for (const place of places) {
        const at = ((place % 3) * 4 + Math.floor(place / 3)) * 3;
        for (let c = 0; c < 3; c++) {
          wanted[at + c] = Math.round(
            before[at + c]! + (colors[index]![c]! - before[at + c]!) * 0.25,
          );
        }
      }
    }
    assert.deepEqual(result, wanted);
    assert.deepEqual(pixels.data, before);
    assert.deepEqual(await images.overlay(pixels, [], [], 1), before);
  });

  test('is refused for masks, colours and opacities that do not fit', async () => {
    const red = [[255, 0, 0]] as const;
    const all = mask(0, 12);
    await assert.rejects(
      images.overlay(pixels, [mask(2, 9)], red, 1),
      invalid(/mask 0 do not add/),
    );
    await assert.rejects(
      images.overlay(pixels, [mask(2, 11)], red, 1),
      invalid(/mask 0 do not add/),
    );
    await assert.rejects(
      images.overlay(pixels, [mask(2, 2 ** 32 - 1)], red, 1),
      invalid(/mask 0 do not add/),
    );
    await assert.rejects(images.overlay(pixels, [{ ...all, width: 3 }], red, 1), invalid(/3 × 3/));
    await assert.rejects(images.overlay(pixels, [all], [], 1), invalid(/1 masks and 0 bytes/));
    await assert.rejects(
      images.overlay(pixels, [all], [[0, 0, 256]], 1),
      invalid(/A color is not/),
    );
    for (const opacity of [-0.1, 1.1, Number.NaN]) {
      await assert.rejects(images.overlay(pixels, [all], red, opacity), invalid(/The opacity/));
    }
    const grey = pixelsOf('noise', 4, 3, 1);
    await assert.rejects(images.overlay(grey, [all], red, 1), invalid(/is not RGB/));
  });
});

describe('base64', () => {
  const encoder = new TextEncoder();
  const decode = (text: string) => images.decodeBase64(encoder.encode(text));

  test('is decoded with and without padding', async () => {
    for (const length of [0, 1, 2, 3, 4, 100, 99_999, 100_000, 100_001]) {
      const { data } = pixelsOf('noise', Math.max(length, 1), 1, 1);
      const bytes = data.subarray(0, length);
      const text = Buffer.from(bytes).toString('base64');
      assert.deepEqual(await decode(text), new Uint8Array(bytes));
      assert.deepEqual(await decode(text.replaceAll('=', '')), new Uint8Array(bytes));
    }
  });

  test('is refused if it is something else', async () => {
    for (const text of [
      'A',
      'AAAA=',
      'AA=',
      'AB==',
      'AA A',
      ' AAAA',
      'AAAA\n',
      'AA-_',
      'AAé',
      '=',
    ]) {
      assert.equal(await decode(text), undefined, text);
    }
  });
});

test('the promises settle in a process that does nothing else', async () => {
  const { code, stdout, stderr } = await runChild('images.fixture.ts', []);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /^300 canvases\n$/);
});
