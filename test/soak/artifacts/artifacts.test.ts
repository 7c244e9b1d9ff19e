/** @module Large artifacts in bounded memory, and processes that are killed at any byte of a transfer. */

import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { existsSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { hashArtifact, openArtifacts } from '../../../runtime/artifacts/index.ts';
import { filesIn, killAt, NO_S3 } from '../../runtime/artifacts/support.ts';
import { temporaryFiles } from '../../support/files.ts';
import { noS3, startS3 } from '../../support/s3.ts';

const MIB = 1024 * 1024;
/** With the client of S3, which is loaded meanwhile, and the parts that it sends at the same time. */
const MAX_GROWTH_BYTES = 256 * MIB;
const KILLS = 60;

const server = noS3 === false ? await startS3('models') : undefined;
after(() => server?.[Symbol.asyncDispose]());

for (const [name, bytes, skip] of [
  ['a folder', 4096 * MIB, false],
  ['S3', 512 * MIB, noS3],
] as const) {
  test(`${bytes / MIB} MiB are stored in ${name} and fetched in little memory`, {
    skip,
  }, async () => {
    using files = temporaryFiles({ 'model.onnx': '' });
    const at = (place: string) => path.join(files.path, place);
    truncateSync(at('model.onnx'), bytes);
    const store =
      name === 'S3'
        ? openArtifacts({ artifacts: 's3://models/large', s3: server!.settings })
        : openArtifacts({ artifacts: at('store'), s3: NO_S3 });
    const before = process.memoryUsage.rss();
    let peak = 0;
    const onProgress = () => {
      peak = Math.max(peak, process.memoryUsage.rss());
    };
    const artifact = await hashArtifact(at('model.onnx'), { onProgress });
    await store.put(artifact, { onProgress });
    await store.fetch(artifact.digest, at('copy'), { onProgress });
    console.log(`${name}: the memory grew by ${Math.round((peak - before) / MIB)} MiB`);
    assert.ok(peak - before < MAX_GROWTH_BYTES, `${(peak - before) / MIB} MiB`);
    store.close();
  });
}

test(`${KILLS} kills at random bytes leave nothing half`, async () => {
  using files = temporaryFiles({ 'model/model.onnx': 'graph' });
  const at = (place: string) => path.join(files.path, place);
  writeFileSync(at('model/weights.bin'), randomBytes(MIB));
  const artifact = await hashArtifact(at('model'));
  const store = openArtifacts({ artifacts: at('store'), s3: NO_S3 });
  for (let kill = 0; kill < KILLS; kill += 1) {
    const bytes = randomInt(1, artifact.bytes);
    assert.ok(await killAt(bytes, ['put', at('store'), at('model')]));
    assert.equal(await store.has(artifact.digest), false);
    if (kill % 2 === 0) continue;
    await store.sweep();
    assert.deepEqual(filesIn(at('store')), []);
  }
  await store.put(artifact);
  // Each goes on where the last one was killed, until one has everything and ends.
  for (let bytes = 1; ; bytes = randomInt(bytes, artifact.bytes) + 1) {
    const fetch = ['fetch', at('store'), at('copies/copy'), artifact.digest];
    if (!(await killAt(bytes, fetch))) break;
    assert.equal(existsSync(at('copies/copy')), false);
  }
  const fetched = await store.fetch(artifact.digest, at('copies/copy'));
  assert.deepEqual(fetched, await hashArtifact(at('copies/copy')));
  assert.equal(filesIn(at('copies')).length, 2);
});
