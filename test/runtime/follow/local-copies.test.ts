/** @module A local copy is verified before it is used, hashed again when it has changed, and removed when it is not used. */
import assert from 'node:assert/strict';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import {
  type ArtifactStore,
  hashArtifact,
  openArtifacts,
} from '../../../runtime/artifacts/index.ts';
import { LocalCopies } from '../../../runtime/follow/index.ts';
import { temporaryFiles } from '../../support/files.ts';

const S3 = {
  ...{ endpoint: undefined, region: 'x', accessKeyId: undefined },
  ...{ secretAccessKey: undefined, sessionToken: undefined },
};

/** A store with the artifact of a folder, and copies of it that count how often they ask the store. */
async function open() {
  const files = temporaryFiles({
    'source/model.onnx': 'a model',
    'source/data/weights': 'weights',
  });
  const artifacts = openArtifacts({ artifacts: path.join(files.path, 'artifacts'), s3: S3 });
  const artifact = await hashArtifact(path.join(files.path, 'source'));
  await artifacts.put(artifact);
  const folder = path.join(files.path, 'models');
  const fetched: string[] = [];
  const fetch: ArtifactStore['fetch'] = (digest, target, options) => {
    fetched.push(digest);
    return artifacts.fetch(digest, target, options);
  };
  const copy = path.join(folder, artifact.digest.replace('sha256:', ''));
  return {
    artifact,
    artifacts,
    folder,
    copy,
    fetched,
    /** The copies as another process finds them, some minutes later. */
    copies: (minutes = 0) =>
      new LocalCopies(folder, { fetch }, () => Date.now() + minutes * 60_000),
    [Symbol.dispose]() {
      artifacts.close();
      files[Symbol.dispose]();
    },
  };
}

const model = (folder: string) => readFileSync(path.join(folder, 'model.onnx'), 'utf8');

describe('a copy', () => {
  test('has the verified files of the artifact', async () => {
    using opened = await open();
    const { source, files, digest } = await opened.copies().get(opened.artifact.digest);
    assert.equal(source, opened.copy);
    assert.equal(model(source), 'a model');
    assert.deepEqual([files, digest], [opened.artifact.files, opened.artifact.digest]);
  });

  test('is made once for all who ask for it', async () => {
    using opened = await open();
    const copies = opened.copies();
    const both = await Promise.all([1, 2].map(() => copies.get(opened.artifact.digest)));
    assert.equal(both[0], both[1]);
    assert.equal(opened.fetched.length, 1);
  });

  test('is not hashed again by the next process if nothing of it has changed', async () => {
    using opened = await open();
    const first = await opened.copies().get(opened.artifact.digest);
    const second = await opened.copies().get(opened.artifact.digest);
    assert.deepEqual(second, first);
    assert.equal(opened.fetched.length, 1);
  });

  for (const [what, change] of [
    ['of another size', (copy: string) => writeFileSync(path.join(copy, 'model.onnx'), 'another')],
    [
      'of the same size and time',
      (copy: string) => {
        writeFileSync(path.join(copy, 'model.onnx'), 'b model');
        utimesSync(path.join(copy, 'model.onnx'), 1, 1);
      },
    ],
    ['more', (copy: string) => writeFileSync(path.join(copy, 'more'), '')],
    ['less', (copy: string) => rmSync(path.join(copy, 'data/weights'))],
    [
      'with a second name',
      (copy: string) => linkSync(path.join(copy, 'model.onnx'), path.join(copy, '../elsewhere')),
    ],
  ] as const) {
    test(`that has a file ${what} is made again`, async () => {
      using opened = await open();
      await opened.copies().get(opened.artifact.digest);
      change(opened.copy);
      const { source } = await opened.copies().get(opened.artifact.digest);
      assert.equal(opened.fetched.length, 2);
      assert.deepEqual((await hashArtifact(source)).files, opened.artifact.files);
    });
  }

  test('whose files cannot be told apart from others is verified, whatever its stamp says', async () => {
    using opened = await open();
    const { digest, files } = opened.artifact;
    await opened.copies().get(digest);
    writeFileSync(`${opened.copy}.json`, JSON.stringify({ files, stats: [] }));
    linkSync(path.join(opened.copy, 'model.onnx'), path.join(opened.folder, 'elsewhere'));
    await opened.copies().get(digest);
    assert.equal(opened.fetched.length, 2);
  });

  test('whose stamp belongs to another artifact is verified', async () => {
    using opened = await open();
    await opened.copies().get(opened.artifact.digest);
    const stamp = JSON.parse(readFileSync(`${opened.copy}.json`, 'utf8'));
    stamp.files[0].sha256 = '0'.repeat(64);
    writeFileSync(`${opened.copy}.json`, JSON.stringify(stamp));
    await opened.copies().get(opened.artifact.digest);
    assert.equal(opened.fetched.length, 2);
  });

  test('that cannot be made is tried again by the next call', async () => {
    using opened = await open();
    const copies = opened.copies();
    await opened.artifacts.delete(opened.artifact.digest);
    await assert.rejects(copies.get(opened.artifact.digest), { code: 'NOT_FOUND' });
    await opened.artifacts.put(opened.artifact);
    assert.equal(model((await copies.get(opened.artifact.digest)).source), 'a model');
  });
});

describe('copies that are not used', () => {
  test('are removed when they are old, and used ones stay', async () => {
    using opened = await open();
    const copies = opened.copies(11);
    await copies.get(opened.artifact.digest);
    await copies.sweep(new Set([opened.artifact.digest]));
    assert.ok(existsSync(opened.copy));
    await copies.sweep(new Set());
    assert.deepEqual(readdirSync(opened.folder), []);
    assert.equal(model((await copies.get(opened.artifact.digest)).source), 'a model');
  });

  test('stay for a while, because another process may be about to load them', async () => {
    using opened = await open();
    const copies = opened.copies(9);
    await copies.get(opened.artifact.digest);
    rmSync(`${opened.copy}.json`);
    await copies.sweep(new Set());
    assert.ok(existsSync(opened.copy));
  });

  test('are removed without a stamp, but nothing else that lies beside them', async () => {
    using opened = await open();
    mkdirSync(path.join(opened.folder, 'a'.repeat(64)), { recursive: true });
    writeFileSync(path.join(opened.folder, 'README.md'), '');
    await opened.copies(11).sweep(new Set());
    assert.deepEqual(readdirSync(opened.folder), ['README.md']);
  });
});
