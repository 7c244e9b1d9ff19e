import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { hashArtifact } from '../../../runtime/artifacts/index.ts';
import type { ServeError } from '../../../runtime/index.ts';
import { temporaryFiles } from '../../support/files.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

test('a model file has the digest of its bytes, whatever its name, and also alone in a folder', async () => {
  using files = temporaryFiles({ 'iris.onnx': 'graph', 'folder/model.onnx': 'graph' });
  const file = await hashArtifact(path.join(files.path, 'iris.onnx'));
  const folder = await hashArtifact(path.join(files.path, 'folder'));
  assert.equal(file.digest, `sha256:${sha256('graph')}`);
  assert.deepEqual(file.files, [{ path: 'model.onnx', bytes: 5, sha256: sha256('graph') }]);
  assert.deepEqual([folder.digest, folder.files], [file.digest, file.files]);
});

test('a folder has the digest of the list of its files', async () => {
  using files = temporaryFiles({ 'b/model.onnx': 'graph', 'b/a/x': '', 'b/a-x': 'y' });
  const folder = path.join(files.path, 'b');
  const { digest, bytes } = await hashArtifact(folder);
  // This text is what is stored, so a change of it makes stored artifacts unreadable.
  const manifest = `{"kind":"folder","files":[${[
    `{"path":"a-x","bytes":1,"sha256":"${sha256('y')}"}`,
    `{"path":"a/x","bytes":0,"sha256":"${sha256('')}"}`,
    `{"path":"model.onnx","bytes":5,"sha256":"${sha256('graph')}"}`,
  ].join(',')}]}`;
  assert.equal(digest, `sha256:${sha256(manifest)}`);
  assert.equal(bytes, 6);
});

test('every change of a folder changes its digest', async () => {
  using files = temporaryFiles({ 'f/model.onnx': 'graph', 'f/a/w': 'weights' });
  const at = (name: string) => path.join(files.path, 'f', name);
  const seen = new Set<string>();
  const changes = [
    () => {},
    () => appendFileSync(at('model.onnx'), 'x'),
    () => renameSync(at('a/w'), at('a/v')),
    () => renameSync(at('a/v'), at('v')),
    () => writeFileSync(at('empty'), ''),
    () => rmSync(at('v')),
  ];
  for (const change of changes) {
    change();
    seen.add((await hashArtifact(at('.'))).digest);
  }
  assert.equal(seen.size, changes.length);
});

/** How a folder is spoilt, and what the message says. */
const SPOILT: readonly (readonly [string, (folder: string) => void, RegExp])[] = [
  ['a link to a file', (f) => symlinkSync('model.onnx', `${f}/link`), /'link' .* symbolic link/],
  ['a link to outside', (f) => symlinkSync('/etc/passwd', `${f}/link`), /'link' .* symbolic link/],
  ['a link to a folder', (f) => symlinkSync('.', `${f}/link`), /'link' .* symbolic link/],
  ['a broken link', (f) => symlinkSync('none', `${f}/link`), /'link' .* symbolic link/],
  ['a hard link', (f) => linkSync(`${f}/model.onnx`, `${f}/link`), /is a hard link/],
  ['a pipe', (f) => void execFileSync('mkfifo', [`${f}/pipe`]), /'pipe' .* neither a file/],
  ['a backslash', (f) => writeFileSync(`${f}/a\\b`, ''), /has a backslash/],
  ['a control character', (f) => writeFileSync(`${f}/a\nb`, ''), /'a\?b' .* control character/],
  [
    'a name that is not UTF-8',
    (f) => writeFileSync(Buffer.concat([Buffer.from(`${f}/`), Buffer.from([0xff, 0x61])]), ''),
    /not UTF-8/,
  ],
  ['names that differ in case', (f) => writeFileSync(`${f}/MODEL.onnx`, ''), /only by its case/],
  [
    'a list of files as the model',
    (f) => writeFileSync(`${f}/model.onnx`, '{"kind":"folder","files":[]}'),
    /not a model/,
  ],
];

for (const [what, spoil, message] of SPOILT) {
  test(`a folder with ${what} is refused`, async () => {
    using files = temporaryFiles({ 'f/model.onnx': 'graph' });
    const folder = path.join(files.path, 'f');
    spoil(folder);
    await assert.rejects(hashArtifact(folder), (error: ServeError) => {
      assert.equal(error.code, 'REJECTED');
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\/tmp/);
      return true;
    });
  });
}

test('a link, a hard link and a device are refused in place of a model file', async () => {
  using files = temporaryFiles({ 'model.onnx': 'graph', 'linked.onnx': 'graph' });
  const at = (name: string) => path.join(files.path, name);
  symlinkSync('model.onnx', at('link.onnx'));
  linkSync(at('linked.onnx'), at('other.onnx'));
  for (const source of [at('link.onnx'), at('other.onnx'), '/dev/zero']) {
    await assert.rejects(hashArtifact(source), { code: 'REJECTED' }, source);
  }
});

test('a folder without files, and one that does not exist, are refused', async () => {
  using files = temporaryFiles({});
  mkdirSync(path.join(files.path, 'empty/below'), { recursive: true });
  await assert.rejects(hashArtifact(path.join(files.path, 'empty')), {
    code: 'REJECTED',
    message: 'The artifact has no file.',
  });
  await assert.rejects(hashArtifact(path.join(files.path, 'none')), { code: 'NOT_FOUND' });
});

test('a folder with too many files is refused', async () => {
  using files = temporaryFiles({});
  for (let index = 0; index <= 10_000; index += 1) {
    writeFileSync(path.join(files.path, `${index}`), '');
  }
  await assert.rejects(hashArtifact(files.path), {
    code: 'PAYLOAD_TOO_LARGE',
    message: 'The artifact has more than 10000 files and folders.',
  });
});
