/** @module Models whose weights are in files beside them: a served model never depends on a file that somebody may edit. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import type { Model } from '../../native/index.ts';
import { fixture, float32, open, refused } from './support.ts';

const engine = open();
const root = mkdtempSync(path.join(tmpdir(), 'millrace-external-'));
after(async () => {
  await engine.close();
  rmSync(root, { recursive: true });
});

let folder = '';
let count = 0;
beforeEach(() => {
  folder = path.join(root, String(count++));
  place(folder, [1, 2, 3, 4]);
});

const bytesOf = (weights: readonly number[]) => new Uint8Array(Float32Array.from(weights).buffer);
const model = () => path.join(folder, 'model.onnx');
const weights = () => path.join(folder, 'weights.bin');

/** Writes a model that computes y = x + weights. */
function place(target: string, values: readonly number[]): void {
  mkdirSync(target, { recursive: true });
  copyFileSync(fixture('external-data/model'), path.join(target, 'model.onnx'));
  writeFileSync(path.join(target, 'weights.bin'), bytesOf(values));
}

async function gives(loaded: Model, expected: readonly number[]): Promise<void> {
  const { y } = (await loaded.run({ x: float32([0, 0, 0, 0]) })).outputs;
  assert.deepEqual(y, float32(expected as number[]));
}

/** Writes the fixture with another name of its data, which has the same length. */
function rename(location: string): void {
  const file = readFileSync(fixture('external-data/model'));
  assert.equal(location.length, 'weights.bin'.length);
  const at = file.indexOf('weights.bin');
  file.write(location, at);
  writeFileSync(model(), file);
}

describe('a model in use', () => {
  test('does not change when its data is overwritten', async () => {
    const loaded = await engine.load({ path: model() });
    writeFileSync(weights(), bytesOf([9, 9, 9, 9]));
    await gives(loaded, [1, 2, 3, 4]);
    await loaded.close();
  });

  test('outlives data that is truncated, and files that are deleted', async () => {
    const loaded = await engine.load({ path: model() });
    truncateSync(weights(), 0);
    await gives(loaded, [1, 2, 3, 4]);
    rmSync(folder, { recursive: true });
    await gives(loaded, [1, 2, 3, 4]);
    await loaded.close();
  });

  test('leaves no copies behind', async () => {
    const cacheDir = path.join(folder, 'cache');
    const loaded = await engine.load({ path: model(), cacheDir });
    await gives(loaded, [1, 2, 3, 4]);
    await loaded.close();
    assert.deepEqual(
      readdirSync(cacheDir).filter((name) => name.startsWith('millrace-model')),
      [],
    );
  });

  test('removes only the files of a process that was killed during a load', async () => {
    const cacheDir = path.join(folder, 'cache');
    const hourAgo = Date.now() / 1000 - 3600;
    for (const name of ['millrace-model-old', 'millrace-model-new', 'other']) {
      mkdirSync(path.join(cacheDir, name), { recursive: true });
      writeFileSync(path.join(cacheDir, name, 'weights.bin'), 'x');
      if (name !== 'millrace-model-new') utimesSync(path.join(cacheDir, name), hourAgo, hourAgo);
    }
    const loaded = await engine.load({ path: model(), cacheDir });
    await loaded.close();
    const left = readdirSync(cacheDir);
    assert.ok(!left.includes('millrace-model-old'));
    assert.ok(left.includes('millrace-model-new') && left.includes('other'));
  });
});

describe('changed data', () => {
  test('that was renamed into place is another model when it is loaded again', async () => {
    const before = await engine.load({ path: model() });
    writeFileSync(`${weights()}.new`, bytesOf([5, 6, 7, 8]));
    renameSync(`${weights()}.new`, weights());
    const loaded = await engine.load({ path: model() });
    assert.notEqual(loaded.digest, before.digest);
    await Promise.all([gives(loaded, [5, 6, 7, 8]), gives(before, [1, 2, 3, 4])]);
    await Promise.all([loaded.close(), before.close()]);
  });

  test('that was written in place is another model too, however soon it is loaded again', async () => {
    for (let round = 0; round < 5; round++) {
      writeFileSync(weights(), bytesOf([round, 0, 0, 0]));
      const loaded = await engine.load({ path: model(), warmupMs: 0 });
      await gives(loaded, [round, 0, 0, 0]);
      await loaded.close();
    }
  });

  test('beside an equal model file is another model', async () => {
    const other = path.join(folder, 'other');
    place(other, [5, 6, 7, 8]);
    const [one, two] = await Promise.all([
      engine.load({ path: model() }),
      engine.load({ path: path.join(other, 'model.onnx') }),
    ]);
    assert.notEqual(one.digest, two.digest);
    await Promise.all([gives(one, [1, 2, 3, 4]), gives(two, [5, 6, 7, 8])]);
    await Promise.all([one.close(), two.close()]);
  });

  test('models with equal data share one session', async () => {
    const [one, two] = [await engine.load({ path: model() }), await engine.load({ path: model() })];
    await gives(one, [1, 2, 3, 4]);
    assert.equal(two.stats().completed, 1);
    await Promise.all([one.close(), two.close()]);
  });
});

describe('where data may lie', () => {
  const outside = [
    ['a path that leaves the folder', '../ghts.bin', /named outside of its folder/],
    ['an absolute path', '/tmp/wt.bin', /named outside of its folder/],
    ['a file that is missing', 'absents.bin', /'absents.bin' of the model are missing/],
  ] as const;
  for (const [what, location, reason] of outside) {
    test(`${what} is refused`, async () => {
      rename(location);
      await refused(engine.load({ path: model() }), 'INVALID_ARGUMENT', reason);
    });
  }

  test('a link out of the folder is refused', async () => {
    const secret = path.join(root, 'secret.bin');
    writeFileSync(secret, bytesOf([1, 2, 3, 4]));
    rmSync(weights());
    symlinkSync(secret, weights());
    await refused(engine.load({ path: model() }), 'INVALID_ARGUMENT', /a link out of its folder/);
  });

  test('links into one store, as Hugging Face keeps models, are followed', async () => {
    const snapshot = path.join(folder, 'snapshots/1');
    mkdirSync(snapshot, { recursive: true });
    const store = path.join(folder, 'blobs');
    mkdirSync(store);
    for (const name of ['model.onnx', 'weights.bin']) {
      renameSync(path.join(folder, name), path.join(store, `${name}-blob`));
      symlinkSync(`../../blobs/${name}-blob`, path.join(snapshot, name));
    }
    const loaded = await engine.load({ path: path.join(snapshot, 'model.onnx') });
    await gives(loaded, [1, 2, 3, 4]);
    await loaded.close();
  });

  test('data in a folder below the model is found', async () => {
    rename('data/wt.bin');
    mkdirSync(path.join(folder, 'data'));
    renameSync(weights(), path.join(folder, 'data/wt.bin'));
    const loaded = await engine.load({ path: model() });
    await gives(loaded, [1, 2, 3, 4]);
    await loaded.close();
  });

  test('data shorter than the model says is refused', async () => {
    truncateSync(weights(), 8);
    await refused(engine.load({ path: model() }), 'INVALID_ARGUMENT', /^Cannot load model/);
  });

  test('a folder instead of a data file is refused', async () => {
    rmSync(weights());
    mkdirSync(weights());
    await refused(
      engine.load({ path: model() }),
      'INVALID_ARGUMENT',
      /cannot be read: it is no file/,
    );
  });
});
