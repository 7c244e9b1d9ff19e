import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { compress } from '../../../services/http/compression.ts';

test('a response that does not shrink is still compressed', async () => {
  const floats = new Uint8Array(Float32Array.from({ length: 30_000 }, (_, i) => i).buffer);
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  // The fastest level writes at most nine bits per byte.
  const high = Uint8Array.from(noise, (byte) => byte | 0x90);
  for (const body of [floats, noise, high, noise.subarray(0, 1024)]) {
    const packed = await compress(body, 'gzip');
    assert.deepEqual(new Uint8Array(gunzipSync(packed)), new Uint8Array(body));
  }
});
