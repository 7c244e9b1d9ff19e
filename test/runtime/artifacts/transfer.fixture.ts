/**
 * Stores or fetches an artifact, and stops for ever after some bytes, so that the test can kill the process there.
 *
 * Arguments: the bytes, `put` or `fetch`, the folder of the store, the source or the copy, and for `fetch` the digest.
 *
 * @module
 */

import process from 'node:process';
import { hashArtifact, openArtifacts } from '../../../runtime/artifacts/index.ts';
import { NO_S3 } from './support.ts';

const [bytes, operation, artifacts = '', place = '', digest = ''] = process.argv.slice(2);
const store = openArtifacts({ artifacts, s3: NO_S3 });

const onProgress = (done: number) => {
  if (done < Number(bytes)) return;
  process.stdout.write('here\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};

if (operation === 'put') await store.put(await hashArtifact(place), { onProgress });
else await store.fetch(digest, place, { onProgress });
