import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, beforeEach, test } from 'node:test';
import {
  hashArtifact,
  type LocalArtifact,
  sweepDownloads,
} from '../../../runtime/artifacts/index.ts';
import { ObjectArtifacts } from '../../../runtime/artifacts/store.ts';
import { startOfProcess } from '../../../runtime/host/index.ts';
import { temporaryFiles } from '../../support/files.ts';
import { MemoryObjects } from './memory-objects.ts';

const TEXT = 'abcdefghij'.repeat(10);
const files = temporaryFiles({ 'model.onnx': TEXT });
after(() => files[Symbol.dispose]());
const at = (...parts: string[]) => path.join(files.path, ...parts);

let objects = new MemoryObjects();
let store = new ObjectArtifacts(objects);
let artifact: LocalArtifact;
let key = '';
/** The folder of the copies of one test, and the copy. */
let copies = '';
let copy = '';

beforeEach(async () => {
  objects = new MemoryObjects();
  store = new ObjectArtifacts(objects);
  artifact = await hashArtifact(at('model.onnx'));
  await store.put(artifact);
  [key = ''] = [...objects.content.keys()];
  copies = at(randomUUID());
  copy = path.join(copies, 'copy');
});

const reads = (...starts: number[]) => starts.map((start) => `${key.slice(-4)} from ${start}`);

/** A folder for a download, with the start of the file. @param owner Its process, as in the names of temporary files. */
function leave(owner: string, text: string): string {
  const name = `copy.${artifact.digest.slice(7, 23)}.${owner}`;
  mkdirSync(path.join(copies, name), { recursive: true });
  writeFileSync(path.join(copies, name, 'model.onnx'), text);
  return name;
}

const ownerOf = (pid: number, host = hostname()) =>
  `${pid}.${startOfProcess(pid) ?? 1}-${randomUUID()}-${host}`;
const dead = () => ownerOf(spawnSync(process.execPath, ['--version']).pid);
const fetched = () => readFileSync(path.join(copy, 'model.onnx'), 'utf8');

test('a download goes on where the connection breaks, and reads no byte twice', async () => {
  objects.breakAfter = 30;
  await store.fetch(artifact.digest, copy);
  assert.equal(fetched(), TEXT);
  assert.deepEqual(objects.reads, reads(0, 30, 60, 90));
});

test('a download ends when the connection breaks again and again without a byte; the next one goes on', async () => {
  objects.breakAfter = 40;
  const received: number[] = [];
  const onProgress = (done: number) => {
    received.push(done);
    if (done === 70) objects.breakAfter = 0;
  };
  await assert.rejects(store.fetch(artifact.digest, copy, { onProgress }), {
    code: 'STORE_UNAVAILABLE',
  });
  assert.deepEqual(objects.reads, reads(0, 40, 70, 70, 70));
  assert.equal(received.at(-1), 70);
  objects.reads.length = 0;
  objects.breakAfter = Number.POSITIVE_INFINITY;
  await store.fetch(artifact.digest, copy);
  assert.equal(fetched(), TEXT);
  assert.deepEqual(objects.reads, reads(70));
  assert.deepEqual(readdirSync(copies), ['copy']);
});

for (const [what, stored] of [
  ['other', `X${TEXT.slice(1)}`],
  ['more', `${TEXT}more`],
  ['fewer', TEXT.slice(1)],
] as const) {
  test(`a store with ${what} bytes is found out, and nothing is left`, async () => {
    objects.content.set(key, Buffer.from(stored));
    await assert.rejects(store.fetch(artifact.digest, copy), {
      code: 'INTERNAL',
      message: /is damaged/,
    });
    assert.deepEqual(readdirSync(copies), []);
  });
}

test('a damaged list of files is found out', async () => {
  mkdirSync(at('folder'));
  writeFileSync(at('folder/a'), 'a');
  const folder = await hashArtifact(at('folder'));
  await store.put(folder);
  const manifest = [...objects.content.keys()].find((each) =>
    each.endsWith(folder.digest.slice(7)),
  )!;
  const text = objects.content.get(manifest)!.toString();
  for (const damaged of [
    text.replace('"bytes":1', '"bytes":2'),
    text.replace('"path":"a"', '"path":"../a"'),
    text.replace('"path":"a",', ''),
    text.slice(0, -1),
    '{"kind":"folder","files":[]}',
  ]) {
    objects.content.set(manifest, Buffer.from(damaged));
    await assert.rejects(store.fetch(folder.digest, copy), { code: 'INTERNAL' }, damaged);
  }
});

test('a download goes on where a process that died has stopped', async () => {
  leave(dead(), TEXT.slice(0, 35));
  await store.fetch(artifact.digest, copy);
  assert.equal(fetched(), TEXT);
  assert.deepEqual(objects.reads, reads(35));
  assert.deepEqual(readdirSync(copies), ['copy']);
});

test('what a process that died has left is not trusted', async () => {
  for (const left of ['wrong', TEXT.replace('a', 'b'), `${TEXT}more`]) {
    leave(dead(), left);
    await store.fetch(artifact.digest, copy);
    assert.equal(fetched(), TEXT);
    assert.deepEqual(readdirSync(copies), ['copy']);
    writeFileSync(path.join(copy, 'model.onnx'), 'changed');
  }
});

test('a link in place of a file is not written through', async () => {
  const name = leave(dead(), '');
  const target = at('target');
  writeFileSync(target, 'kept');
  rmSync(path.join(copies, name, 'model.onnx'));
  symlinkSync(target, path.join(copies, name, 'model.onnx'));
  await assert.rejects(store.fetch(artifact.digest, copy), { code: 'STORE_UNAVAILABLE' });
  assert.equal(readFileSync(target, 'utf8'), 'kept');
});

test('downloads of others are left to them, and removed when they have died', async () => {
  const running = leave(ownerOf(process.ppid), 'x');
  const elsewhere = leave(ownerOf(1, 'another-host'), 'x');
  await store.fetch(artifact.digest, copy);
  assert.deepEqual(readdirSync(copies).sort(), ['copy', elsewhere, running].sort());
  leave(dead(), 'x');
  leave('free', 'x');
  await sweepDownloads(copies);
  assert.deepEqual(readdirSync(copies).sort(), ['copy', elsewhere, running].sort());
  const longAgo = new Date(Date.now() - 25 * 3600 * 1000);
  utimesSync(path.join(copies, elsewhere), longAgo, longAgo);
  await sweepDownloads(copies);
  assert.deepEqual(readdirSync(copies).sort(), ['copy', running].sort());
});

test('of downloads at once into the same folder, each succeeds', async () => {
  const all = Array.from({ length: 10 }, () => store.fetch(artifact.digest, copy));
  for (const { digest } of await Promise.all(all)) assert.equal(digest, artifact.digest);
  assert.equal(fetched(), TEXT);
  assert.deepEqual(readdirSync(copies), ['copy']);
});

test('a copy that cannot be written is an error that names no path', async () => {
  await assert.rejects(store.fetch(artifact.digest, at('model.onnx/below')), {
    code: 'STORE_UNAVAILABLE',
    message: /^The local copy of the artifact cannot be written \(E[A-Z]+\)\.$/,
  });
});
