/** @module Tests of the lines that are made of the images of archives, also of archives that are made to do harm. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { ARCHIVE_LIMITS } from '../../../runtime/jobs/archives/archive-file.ts';
import {
  type ImageOptions,
  tarImages,
  zipImages,
} from '../../../runtime/jobs/archives/image-lines.ts';
import type { FileLine } from '../../../runtime/jobs/lines.ts';
import { tarOf, zipOf } from '../../support/archives.ts';
import { temporaryFiles } from '../../support/files.ts';

const png = await sharp({ create: { width: 4, height: 4, channels: 3, background: '#ff0000' } })
  .png()
  .toBuffer();
const jpeg = await sharp(png).jpeg().toBuffer();

type Form = 'zip' | 'tar';

/** The lines of an archive that arrives in pieces of a few bytes. */
async function linesOf(
  form: Form,
  archive: Uint8Array,
  options: ImageOptions = {},
  limits = ARCHIVE_LIMITS,
  size = 1000,
): Promise<FileLine[]> {
  using folder = temporaryFiles({ 'a.txt': '' });
  const pieces = (async function* () {
    for (let at = 0; at < archive.length; at += size) yield archive.subarray(at, at + size);
  })();
  const path = join(folder.path, 'upload');
  const toLines = form === 'zip' ? zipImages(path, options, limits) : tarImages(options, limits);
  const lines: FileLine[] = [];
  for await (const some of toLines(pieces)) lines.push(...(some as FileLine[]));
  assert.deepEqual(
    readdirSync(folder.path).sort(),
    form === 'zip' ? ['a.txt', 'upload'] : ['a.txt'],
  );
  return lines;
}

const body = (image: Uint8Array, more: object = {}) =>
  JSON.stringify({ image: Buffer.from(image).toString('base64'), ...more });

const make = {
  zip: async (members: readonly { name: string; text?: string | Uint8Array }[]) => zipOf(members),
  tar: tarOf,
};

for (const form of ['zip', 'tar'] as const) {
  describe(`a ${form} archive`, () => {
    const of = async (...members: Parameters<(typeof make)[Form]>[0]) =>
      linesOf(form, await make[form](members), { top_k: '3', classes: ['a', 'b'] });
    const more = { top_k: '3', classes: ['a', 'b'] };

    test('has a line for each image, in its order', async () => {
      const lines = await of(
        { name: 'b/2.png', text: png },
        { name: 'a.jpg', text: jpeg },
        { name: 'b/2.png', text: png },
      );
      assert.deepEqual(lines, [
        { file: 'b/2.png', line: body(png, more) },
        { file: 'a.jpg', line: body(jpeg, more) },
        { file: 'b/2.png', line: body(png, more) },
      ]);
      const [only] = await linesOf(
        form,
        await make[form]([{ name: 'x', text: png }]),
        {},
        undefined,
        1,
      );
      assert.deepEqual(only, { file: 'x', line: body(png) });
    });

    test('has lines that fail alone for files that are no images', async () => {
      const lines = await of(
        { name: 'notes.txt', text: 'nothing to see' },
        { name: 'empty.png', text: '' },
        { name: 'a.png', text: png },
      );
      assert.deepEqual(
        lines.map(({ file, line }) => [file, typeof line === 'string' ? 'ok' : line.code]),
        [
          ['notes.txt', 'UNSUPPORTED_MEDIA_TYPE'],
          ['empty.png', 'INVALID_IMAGE'],
          ['a.png', 'ok'],
        ],
      );
    });

    test('skips hidden files and folders', async () => {
      const hidden = [
        '__MACOSX/._a.png',
        '.DS_Store',
        'b/.git/a.png',
        'Thumbs.db',
        'b/Desktop.ini',
      ];
      const members = hidden.map((name) => ({ name, text: png }));
      const lines = await of(...members, { name: './a.png', text: png });
      assert.deepEqual(
        lines.map(({ file }) => file),
        ['./a.png'],
      );
      await assert.rejects(of(...members), { code: 'INVALID_ARGUMENT', message: /only hidden/ });
      await assert.rejects(of(), { code: 'INVALID_ARGUMENT' });
    });

    test('has names that are never paths', async () => {
      const names = ['../../evil.png', '/etc/evil.png', 'a\\..\\b.png', 'x'.repeat(2000)];
      const lines = await of(...names.map((name) => ({ name, text: png })));
      assert.deepEqual(
        lines.map(({ file }) => file.length),
        names.map(({ length }) => Math.min(length, 1024)),
      );
      assert.equal(existsSync('/etc/evil.png'), false);
    });

    test('has a line that fails alone for an image of too many bytes', async () => {
      const large = Buffer.alloc(20 * 1024 * 1024 + 1, png);
      const archive = await make[form]([
        { name: 'large.png', text: large },
        { name: 'a.png', text: png },
      ]);
      const lines = await linesOf(form, archive, {}, undefined, 65_536);
      assert.equal((lines[0]!.line as { code: string }).code, 'IMAGE_TOO_LARGE');
      assert.equal(lines[1]!.line, body(png));
    });

    test('is refused beyond the limits', async () => {
      const archive = await make[form]([
        { name: 'a.png', text: png },
        { name: 'b.png', text: png },
      ]);
      const code = 'PAYLOAD_TOO_LARGE';
      await assert.rejects(linesOf(form, archive, {}, { entries: 1, bytes: 2 ** 30 }), { code });
      await assert.rejects(linesOf(form, archive, {}, { entries: 9, bytes: png.length }), { code });
    });

    test('is refused if it is damaged, wherever it ends', async () => {
      const archive = await make[form]([
        { name: 'a.png', text: png },
        { name: 'b.png', text: png },
      ]);
      const ends = form === 'zip' ? [0, 10, 100, archive.length - 1] : [10, 100, 513, 600, 1030];
      for (const end of ends) {
        const cut = linesOf(form, archive.subarray(0, end));
        await assert.rejects(cut, { code: 'INVALID_ARGUMENT' }, `${end}`);
      }
      const other = linesOf(form, Buffer.from('nothing of the kind'.repeat(100)));
      await assert.rejects(other, { code: 'INVALID_ARGUMENT', message: new RegExp(form) });
    });

    test('passes the error of its sender on', async () => {
      const archive = await make[form]([{ name: 'a.png', text: png }]);
      for (const end of [0, 10, 520, 1030]) {
        const pieces = (async function* () {
          yield archive.subarray(0, end);
          throw new TypeError('gone');
        })();
        using folder = temporaryFiles({ 'a.txt': '' });
        const path = join(folder.path, 'upload');
        const toLines = form === 'zip' ? zipImages(path, {}) : tarImages({});
        await assert.rejects(Array.fromAsync(toLines(pieces)), /gone/, `${end}`);
      }
    });
  });
}

describe('of a zip archive', () => {
  const fails = async (member: object) => {
    const archive = zipOf([
      { name: 'x.png', text: png, ...member },
      { name: 'a.png', text: png },
    ]);
    const [bad, good] = await linesOf('zip', archive);
    assert.equal(good!.line, body(png));
    return (bad!.line as { message: string }).message;
  };

  test('a damaged file, a link, a device and another method fail alone', async () => {
    assert.match(await fails({ crc: 1 }), /damaged/);
    assert.match(await fails({ bytes: png.length - 1 }), /damaged/);
    assert.match(await fails({ bytes: png.length + 1 }), /damaged/);
    assert.match(await fails({ mode: 0o120777 }), /is a link/);
    assert.match(await fails({ mode: 0o060666 }), /is a device/);
    assert.match(await fails({ method: 12 }), /deflate/);
  });

  test('a file that unpacks to more than its directory says takes no more memory', async () => {
    const bomb = zipOf([{ name: 'a.png', text: Buffer.alloc(200 * 1024 * 1024), bytes: 1000 }]);
    const before = process.memoryUsage().arrayBuffers;
    const [line] = await linesOf('zip', bomb);
    assert.match((line!.line as { message: string }).message, /damaged/);
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 1024 * 1024);
  });

  test('encrypted archives are refused', async () => {
    const archive = zipOf([{ name: 'a.png', text: png, flags: 1 }]);
    await assert.rejects(linesOf('zip', archive), {
      code: 'INVALID_ARGUMENT',
      message: /encrypted/,
    });
  });

  test('archives that unpack to much more than their size are refused', async () => {
    const members = Array.from({ length: 70 }, (_, i) => ({ name: `${i}`, bytes: 2 ** 20 }));
    await assert.rejects(linesOf('zip', zipOf(members)), { code: 'PAYLOAD_TOO_LARGE' });
  });

  test('archives whose files share their bytes are refused', async () => {
    const archive = zipOf([
      { name: 'a.png', text: png },
      { name: 'b.png', text: png, offset: 0 },
    ]);
    await assert.rejects(linesOf('zip', archive), { message: /share their bytes/ });
  });

  test('an archive of many hidden files ends', async () => {
    const members = Array.from({ length: 5000 }, (_, i) => ({ name: `.h/${i}` }));
    const lines = await linesOf('zip', zipOf([...members, { name: 'a.png', text: png }]));
    assert.equal(lines.length, 1);
  });
});

describe('of a tar archive', () => {
  test('links and devices fail alone', async () => {
    const archive = await tarOf([
      { name: 'a', type: 'symlink', linkname: '/etc/passwd' },
      { name: 'b', type: 'block-device' },
      { name: 'folder', type: 'directory' },
      { name: 'a.png', text: png },
    ]);
    const lines = await linesOf('tar', archive);
    assert.deepEqual(
      lines.map(({ line }) => (typeof line === 'string' ? 'ok' : line.message)),
      ['The file is a link.', 'The file is a device.', 'ok'],
    );
  });

  test('one that goes on without entries is refused', async () => {
    const archive = Buffer.concat([
      (await tarOf([{ name: 'a.png', text: png }])).subarray(0, 1024),
      Buffer.alloc(4 * 1024 * 1024),
    ]);
    await assert.rejects(linesOf('tar', archive, {}, undefined, 65_536), {
      code: 'INVALID_ARGUMENT',
    });
  });

  test('a compressed one is refused', async () => {
    const { gzipSync } = await import('node:zlib');
    const archive = gzipSync(await tarOf([{ name: 'a.png', text: png }]));
    await assert.rejects(linesOf('tar', archive), { code: 'INVALID_ARGUMENT' });
  });
});
