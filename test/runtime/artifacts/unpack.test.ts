import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type UnpackOptions, unpackArchive } from '../../../runtime/artifacts/index.ts';
import type { ServeError } from '../../../runtime/index.ts';
import { type TarMember, tarOf, type ZipMember, zipOf } from '../../support/archives.ts';
import { temporaryFiles } from '../../support/files.ts';

const files = temporaryFiles({});
after(() => files[Symbol.dispose]());
let count = 0;

/** Unpacks an archive into a folder of its own, and returns the files that are in it then. */
async function unpack(archive: Buffer, options?: UnpackOptions): Promise<Record<string, string>> {
  count += 1;
  const file = path.join(files.path, `archive-${count}`);
  const folder = path.join(files.path, `folder-${count}`);
  writeFileSync(file, archive);
  await unpackArchive(file, folder, options);
  assert.equal(existsSync(`${folder}.unpacking`), false);
  const found = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    found
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .map((place) => [path.relative(folder, place), readFileSync(place, 'utf8')]),
  );
}

/** Checks that an archive is refused, and that nothing of it remains, here or anywhere else. */
async function refused(
  archive: Buffer,
  code: ServeError['code'],
  message: RegExp,
  options?: UnpackOptions,
): Promise<void> {
  await assert.rejects(unpack(archive, options), (error: ServeError) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\/tmp|folder-|unpacking/);
    return true;
  });
  assert.deepEqual(
    readdirSync(files.path).filter((name) => name.startsWith(`folder-${count}`)),
    [],
  );
}

const FOLDER = [
  { name: 'model.onnx', text: 'graph' },
  { name: 'weights/a.bin', text: 'weights' },
  { name: 'Ünï.txt', text: 'ü' },
];
const CONTENT = { 'model.onnx': 'graph', 'weights/a.bin': 'weights', 'Ünï.txt': 'ü' };

test('tar, tar with gzip and zip archives are unpacked', async () => {
  assert.deepEqual(await unpack(await tarOf(FOLDER)), CONTENT);
  assert.deepEqual(await unpack(gzipSync(await tarOf(FOLDER))), CONTENT);
  assert.deepEqual(await unpack(zipOf(FOLDER)), CONTENT);
  assert.deepEqual(await unpack(zipOf(FOLDER.map((file) => ({ ...file, method: 0 })))), CONTENT);
});

test('folders may be entries of their own, and paths may start with ./', async () => {
  const members = [
    { name: './', type: 'directory' as const },
    { name: './weights/', type: 'directory' as const },
    ...FOLDER.map(({ name, text }) => ({ name: `./${name}`, text })),
  ];
  assert.deepEqual(await unpack(await tarOf(members)), CONTENT);
  assert.deepEqual(await unpack(zipOf([{ name: 'weights/', mode: 0o40755 }, ...FOLDER])), CONTENT);
});

test('if one folder holds everything, its content is the result', async () => {
  const inside = FOLDER.map(({ name, text }) => ({ name: `iris/${name}`, text }));
  assert.deepEqual(await unpack(await tarOf(inside)), CONTENT);
  assert.deepEqual(await unpack(zipOf(inside)), CONTENT);
});

test('long names are unpacked', async () => {
  const name = `${'n'.repeat(200)}/${'m'.repeat(200)}.bin`;
  const content = { 'a.txt': 'a', [name]: 'long' };
  const members = Object.entries(content).map(([name, text]) => ({ name, text }));
  assert.deepEqual(await unpack(await tarOf(members)), content);
  assert.deepEqual(await unpack(zipOf(members)), content);
});

test('unpacking reports the bytes that are done', async () => {
  const done: number[] = [];
  await unpack(await tarOf(FOLDER), { onProgress: (bytes) => done.push(bytes) });
  assert.deepEqual(done, [5, 12, 14]);
});

/** Names that every kind of archive must not have, with what the message says. */
const NAMES: readonly (readonly [name: string, message: RegExp])[] = [
  ['../escape', /has a part '\.\.'/],
  ['a/../../escape', /has a part '\.\.'/],
  ['a/..', /has a part '\.\.'/],
  ['/etc/absolute', /is absolute/],
  ['C:/windows', /is absolute/],
  ['a\\..\\escape', /has a backslash/],
  ['line\nbreak', /control character/],
  ['a//b', /empty part/],
  ['a/./b', /empty part/],
  ['x'.repeat(300), /too long/],
  [`${'a/'.repeat(600)}b`, /too long/],
];

for (const [name, message] of NAMES) {
  test(`the name ${JSON.stringify(name.slice(0, 20))} is refused`, async () => {
    await refused(await tarOf([{ name, text: 'x' }]), 'REJECTED', message);
    await refused(zipOf([{ name, text: 'x' }]), 'REJECTED', message);
  });
}

const PAIRS: readonly (readonly [first: string, second: string, message: RegExp])[] = [
  ['a/same', 'a/same', /occurs twice/],
  ['Model.onnx', 'model.onnx', /only by its case/],
  ['é', 'e\u0301', /or its accents/],
  ['A/one', 'a/two', /only by its case/],
  ['file', 'file/below', /occurs twice/],
  ['file/below', 'file', /occurs twice/],
];

for (const [first, second, message] of PAIRS) {
  test(`the names ${first} and ${second} together are refused`, async () => {
    const members = [first, second].map((name) => ({ name, text: name }));
    await refused(await tarOf(members), 'REJECTED', message);
    await refused(zipOf(members), 'REJECTED', message);
  });
}

const TAR_TYPES: readonly (readonly [TarMember, RegExp])[] = [
  [{ name: 'a', type: 'symlink', linkname: 'model.onnx' }, /is a link/],
  [{ name: 'a', type: 'symlink', linkname: '/etc/passwd' }, /is a link/],
  [{ name: 'a', type: 'link', linkname: 'model.onnx' }, /is a link/],
  [{ name: 'a', type: 'character-device', devmajor: 1, devminor: 5 }, /neither a file/],
  [{ name: 'a', type: 'block-device', devmajor: 8, devminor: 0 }, /neither a file/],
  [{ name: 'a', type: 'fifo' }, /neither a file/],
  [{ name: 'a', type: 'contiguous-file' }, /neither a file/],
  [{ name: 'a', pax: { 'GNU.sparse.major': '1' } }, /is a sparse file/],
];

for (const [member, message] of TAR_TYPES) {
  test(`a tar archive with ${member.type ?? 'a sparse file'} is refused`, async () => {
    await refused(await tarOf([FOLDER[0]!, member]), 'REJECTED', message);
  });
}

const ZIP_TYPES: readonly (readonly [ZipMember, RegExp])[] = [
  [{ name: 'a', text: 'model.onnx', mode: 0o120777 }, /is a link/],
  [{ name: 'a', mode: 0o020666 }, /neither a file/],
  [{ name: 'a', mode: 0o060666 }, /neither a file/],
  [{ name: 'a', mode: 0o010666 }, /neither a file/],
  [{ name: 'a', text: 'x', flags: 1 }, /is encrypted/],
  [{ name: 'a', text: 'x', method: 12 }, /another method/],
  [{ name: 'a', text: 'x', offset: 0 }, /overlaps/],
];

for (const [member, message] of ZIP_TYPES) {
  test(`a zip archive with ${JSON.stringify(member)} is refused`, async () => {
    await refused(zipOf([FOLDER[0]!, member]), 'REJECTED', message);
  });
}

test('archives with too many files, or too long ones, are refused before their content is read', async () => {
  const limits = { entries: 3, bytes: 13 };
  await refused(await tarOf(FOLDER), 'PAYLOAD_TOO_LARGE', /more than 3 files and folders/, {
    limits,
  });
  const many = Array.from({ length: 10_001 }, (_, index) => ({ name: `${index}` }));
  await refused(await tarOf(many), 'PAYLOAD_TOO_LARGE', /more than 10000 files/);
  await refused(zipOf(many), 'PAYLOAD_TOO_LARGE', /more than 10000 files/);
  const long = [{ name: 'long', text: 'x'.repeat(14) }];
  await refused(await tarOf(long), 'PAYLOAD_TOO_LARGE', /more than 13 bytes/, { limits });
  await refused(zipOf(long), 'PAYLOAD_TOO_LARGE', /more than 13 bytes/, { limits });
  const huge = tarHeader('huge', 17 * 1024 ** 3);
  await refused(huge, 'PAYLOAD_TOO_LARGE', /more than 17179869184 bytes/);
});

test('an archive that unpacks to far more than its size is refused', async () => {
  const zeros = Buffer.alloc(70 * 1024 * 1024);
  const header = tarHeader('zeros', zeros.length);
  const message = /more than 100 times its size/;
  await refused(gzipSync(Buffer.concat([header, zeros])), 'PAYLOAD_TOO_LARGE', message);
  await refused(gzipSync(zeros), 'INVALID_ARGUMENT', /is damaged/);
  const claimed = { name: 'zeros', text: 'x', bytes: 70 * 1024 * 1024 };
  await refused(zipOf([claimed]), 'PAYLOAD_TOO_LARGE', message);
});

test('what is not an archive, or a damaged one, is refused', async () => {
  const tar = await tarOf(FOLDER);
  const zip = zipOf(FOLDER);
  const none = /neither a tar archive nor a zip archive/;
  await refused(Buffer.from(''), 'INVALID_ARGUMENT', none);
  await refused(Buffer.from('{"not":"an archive"}'), 'INVALID_ARGUMENT', none);
  for (const archive of [
    ...[600, 1100, 2000].map((length) => tar.subarray(0, length)),
    ...[12, 60, 100].map((length) => gzipSync(tar).subarray(0, length)),
    gzipSync(Buffer.from('')),
    gzipSync(Buffer.from('no tar')),
    Buffer.concat([tar.subarray(0, 512).fill('9', 148, 156), tar.subarray(512)]),
    ...[30, 100, zip.length - 1].map((length) => zip.subarray(0, length)),
    zipOf([{ name: 'a', text: 'text', crc: 1 }]),
    zipOf([{ name: 'a', text: 'text', bytes: 3 }]),
    zipOf([{ name: 'a', text: 'text', bytes: 5 }]),
    zipOf([]),
    tarHeader('none', 0).fill(0),
  ]) {
    await refused(archive, 'INVALID_ARGUMENT', /damaged|empty|neither a tar/);
  }
});

test('unpacking ends when its signal aborts', async () => {
  const controller = new AbortController();
  const archive = await tarOf([
    { name: 'a', text: 'a' },
    { name: 'b', text: 'b' },
  ]);
  const unpacked = unpack(archive, {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await assert.rejects(unpacked, { name: 'AbortError' });
  assert.equal(existsSync(path.join(files.path, `folder-${count}`)), false);
});

/** The header of a file, without its content. */
function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  header.write(name);
  header.write('0000644\0', 100);
  header.write(`${size.toString(8).padStart(11, '0')} `, 124);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
