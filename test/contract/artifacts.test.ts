/** @module What every store of artifacts does: in a folder, and in a bucket of S3. */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  type ArtifactStore,
  hashArtifact,
  type LocalArtifact,
  openArtifacts,
} from '../../runtime/artifacts/index.ts';
import type { S3Settings } from '../../runtime/config/index.ts';
import { NO_S3 } from '../runtime/artifacts/support.ts';
import { type TemporaryFiles, temporaryFiles } from '../support/files.ts';
import { noS3, startS3 } from '../support/s3.ts';

/** Longer than the part of an upload, and than the buffers of a copy, by an odd number. */
const BIG_BYTES = 6 * 1024 * 1024 + 17;

interface Place {
  readonly artifacts: string;
  readonly s3: S3Settings;
}

function contract(name: string, skip: string | false, open: () => Promise<Place>): void {
  describe(name, { skip }, () => {
    let store: ArtifactStore;
    let files: TemporaryFiles;
    const at = (...parts: string[]) => path.join(files.path, ...parts);

    before(async () => {
      files = temporaryFiles({
        'file/iris.onnx': 'a model',
        'folder/model.onnx': 'a graph',
        'folder/weights/part one.bin': 'weights',
        'folder/weights/same.bin': 'weights',
        'folder/Ünï.txt': '',
      });
      store = openArtifacts(await open());
    });

    after(() => {
      store.close();
      files[Symbol.dispose]();
    });

    const put = async (source: string): Promise<LocalArtifact> => {
      const artifact = await hashArtifact(source);
      await store.put(artifact);
      return artifact;
    };

    test('a model file comes back as model.onnx, and its digest is that of its bytes', async () => {
      const { digest, bytes } = await put(at('file/iris.onnx'));
      assert.equal(digest, `sha256:${createHash('sha256').update('a model').digest('hex')}`);
      assert.equal(bytes, 7);
      const fetched = await store.fetch(digest, at('copies/file'));
      assert.equal(readFileSync(at('copies/file/model.onnx'), 'utf8'), 'a model');
      assert.deepEqual(fetched, await hashArtifact(at('copies/file')));
      assert.deepEqual(readdirSync(at('copies')), ['file']);
    });

    test('a folder comes back with all its files', async () => {
      const { digest } = await put(at('folder'));
      const fetched = await store.fetch(digest, at('folders/copy'));
      assert.deepEqual(
        fetched.files.map((file) => [file.path, file.bytes]),
        [
          ['model.onnx', 7],
          ['weights/part one.bin', 7],
          ['weights/same.bin', 7],
          ['Ünï.txt', 0],
        ],
      );
      for (const file of fetched.files) {
        const copy = readFileSync(at('folders/copy', file.path), 'utf8');
        assert.equal(copy, readFileSync(at('folder', file.path), 'utf8'));
      }
      assert.deepEqual(fetched, { ...(await hashArtifact(at('folders/copy'))), digest });
    });

    test('an empty file is stored too', async () => {
      writeFileSync(at('empty.onnx'), '');
      const { digest } = await put(at('empty.onnx'));
      const fetched = await store.fetch(digest, at('empty'));
      assert.deepEqual([fetched.bytes, fetched.files.length], [0, 1]);
    });

    test('a large file is stored in parts, with progress', async () => {
      writeFileSync(at('big.onnx'), randomBytes(BIG_BYTES));
      const artifact = await hashArtifact(at('big.onnx'));
      const sent: number[] = [];
      await store.put(artifact, { onProgress: (done, total) => sent.push(done / total!) });
      const received: number[] = [];
      await store.fetch(artifact.digest, at('big'), {
        onProgress: (done, total) => received.push(done / total!),
      });
      for (const progress of [sent, received]) {
        assert.ok(progress.length > 2, String(progress.length));
        assert.deepEqual(
          progress,
          progress.toSorted((a, b) => a - b),
        );
        assert.equal(progress.at(-1), 1);
      }
      assert.ok(readFileSync(at('big/model.onnx')).equals(readFileSync(at('big.onnx'))));
    });

    test('storing and deleting the same artifact again does nothing', async () => {
      const artifact = await put(at('folder'));
      await store.put(artifact);
      assert.equal(await store.has(artifact.digest), true);
      await store.delete(artifact.digest);
      await store.delete(artifact.digest);
      assert.equal(await store.has(artifact.digest), false);
      await assert.rejects(store.fetch(artifact.digest, at('gone')), { code: 'NOT_FOUND' });
      assert.equal(existsSync(at('gone')), false);
      await store.put(artifact);
      await store.fetch(artifact.digest, at('again'));
    });

    test('deleting an artifact leaves one with the same files', async () => {
      mkdirSync(at('sibling/weights'), { recursive: true });
      writeFileSync(at('sibling/model.onnx'), 'a graph');
      writeFileSync(at('sibling/weights/other.bin'), 'weights');
      const [one, other] = [await put(at('folder')), await put(at('sibling'))];
      await store.delete(one.digest);
      await store.fetch(other.digest, at('sibling-copy'));
    });

    test('a file that changes after it was hashed is refused, and nothing is stored', async () => {
      for (const source of ['changing.onnx', 'changing/model.onnx']) {
        mkdirSync(path.dirname(at(source)), { recursive: true });
        writeFileSync(at(source), randomBytes(100));
        if (source.includes('/')) writeFileSync(at('changing/other'), 'other');
        const artifact = await hashArtifact(at(source.split('/')[0]!));
        writeFileSync(at(source), randomBytes(100));
        await assert.rejects(store.put(artifact), { code: 'REJECTED', message: /changed while/ });
        assert.equal(await store.has(artifact.digest), false);
      }
    });

    test('an operation ends when its signal aborts', async () => {
      writeFileSync(at('aborted.onnx'), randomBytes(BIG_BYTES));
      const artifact = await hashArtifact(at('aborted.onnx'));
      const during = () => {
        const controller = new AbortController();
        return { signal: controller.signal, onProgress: () => controller.abort() };
      };
      await assert.rejects(store.put(artifact, during()), { name: 'AbortError' });
      assert.equal(await store.has(artifact.digest), false);
      await store.put(artifact);
      await assert.rejects(store.fetch(artifact.digest, at('aborted'), during()), {
        name: 'AbortError',
      });
      assert.equal(existsSync(at('aborted')), false);
    });

    test('a folder that holds something else is replaced, and one with the artifact is kept', async () => {
      const { digest } = await put(at('folder'));
      await store.fetch(digest, at('kept'));
      const { ino } = statSync(at('kept/model.onnx'));
      await store.fetch(digest, at('kept'));
      assert.equal(statSync(at('kept/model.onnx')).ino, ino);
      writeFileSync(at('kept/extra'), '');
      await store.fetch(digest, at('kept'));
      assert.equal(existsSync(at('kept/extra')), false);
    });

    test('a digest that is none is refused', async () => {
      for (const digest of ['', 'abc', 'sha256:../..', `sha256:${'A'.repeat(64)}`]) {
        await assert.rejects(store.has(digest), { code: 'INVALID_ARGUMENT' });
        await assert.rejects(store.fetch(digest, at('none')), { code: 'INVALID_ARGUMENT' });
      }
    });

    test('of uploads at once of the same artifact, each succeeds', async () => {
      writeFileSync(at('folder/new'), randomBytes(10));
      const artifact = await hashArtifact(at('folder'));
      await Promise.all(Array.from({ length: 8 }, () => store.put(artifact)));
      await store.sweep();
      await store.fetch(artifact.digest, at('popular'));
    });
  });
}

const places = temporaryFiles({});
after(() => places[Symbol.dispose]());

contract('artifacts in a folder', false, async () => ({
  artifacts: path.join(places.path, 'artifacts'),
  s3: NO_S3,
}));

const server = noS3 === false ? await startS3('models') : undefined;
after(() => server?.[Symbol.asyncDispose]());

contract('artifacts in S3', noS3, async () => ({
  artifacts: 's3://models/some/prefix/',
  s3: server!.settings,
}));
