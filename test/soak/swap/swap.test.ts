/** @module Thirty-two loops of 1,024 loads, unloads and changes of the catalog, while requests run: `SOAK=1`; else fewer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { releaseFreeMemory } from '../memory.ts';
import { churn } from './churn.ts';

const loops = 32;
const changes = process.env.SOAK === '1' ? 1024 : 32;
/** Memory is compared from this share of the changes on: before, everything is used for the first time. */
const WARM_UP = 0.2;
const MAX_GROWTH = 1.05;

function residentBytes(): number {
  Bun.gc(true);
  releaseFreeMemory();
  return process.memoryUsage.rss();
}

test(`${loops} × ${changes} changes: no answer of a wrong version, and memory stays`, async () => {
  let start = 0;
  const warm = Math.round(loops * changes * WARM_UP);
  const report = await churn({
    ...{ loops, changes, clients: 2, random: Math.random },
    onChange: (count) => {
      if (count === warm) start = residentBytes();
    },
    onEnd: () => {
      const growth = residentBytes() / start;
      console.log(
        `RSS ${(start / 2 ** 20).toFixed(0)} MiB after ${warm} changes, × ${growth.toFixed(3)} at the end`,
      );
      assert.ok(growth <= MAX_GROWTH, `the memory has grown by a factor of ${growth}`);
    },
  });
  console.log(JSON.stringify(report));
  assert.equal(report.changes, loops * changes);
  for (const version of ['v1', 'v2', 'v3', 'v4'])
    assert.ok(report.responses[version]! > 0, version);
});
