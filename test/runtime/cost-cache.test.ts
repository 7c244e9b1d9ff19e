/** @module The engine that caches the costs that it has measured. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Engine, LoadOptions } from '../../native/index.ts';
import { withCostCache } from '../../runtime/cost-cache.ts';
import type { Log } from '../../runtime/log.ts';

const warnings: string[] = [];
const log = { warn: (text: string) => void warnings.push(text) } as unknown as Log;

describe('withCostCache', () => {
  test('passes the cache folder to every load, and logs the notices of the engine', async () => {
    const loads: LoadOptions[] = [];
    const engine = { load: async (options: LoadOptions) => void loads.push(options) };
    const cached = withCostCache(engine as unknown as Engine, '/cache', log);
    await cached.load({ path: 'a.onnx', instances: 2 });
    assert.equal(loads[0]?.cacheDir, '/cache');
    assert.equal(loads[0]?.instances, 2);
    loads[0]?.notice?.('It is damaged');
    assert.deepEqual(warnings, ['It is damaged']);
  });
});
