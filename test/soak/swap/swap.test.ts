/** @module Thirty-two loops of 1,024 loads, unloads and changes of the catalog, while requests run: `SOAK=1`; else fewer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesInUse, releaseFreeMemory } from '../memory.ts';
import { churn } from './churn.ts';

const loops = 32;
const changes = process.env.SOAK === '1' ? 1024 : 32;
const SAMPLES = 64;
/** Of the samples, those before are left out: everything is used for the first time. */
const WARM_UP = 16;
const MAX_GROWTH = 1.05;

interface Sample {
  readonly rss: number;
  /** What the addon and ONNX Runtime have allocated. */
  readonly native: number;
}

function sample(): Sample {
  Bun.gc(true);
  releaseFreeMemory();
  return { rss: process.memoryUsage.rss(), native: bytesInUse() };
}

/** Bun returns its memory to the system late, so that of several samples the smallest shows what is in use. */
const least = (samples: readonly Sample[], kind: keyof Sample): number =>
  Math.min(...samples.map((each) => each[kind]));

test(`${loops} × ${changes} changes: no response of a wrong version, and memory stays`, async () => {
  const samples: Sample[] = [];
  const every = (loops * changes) / SAMPLES;
  const report = await churn({
    ...{ loops, changes, clients: 2, random: Math.random },
    onChange: (count) => {
      if (count % every === 0) samples.push(sample());
    },
  });
  assert.equal(report.changes, loops * changes);
  for (const version of ['v1', 'v2', 'v3', 'v4'])
    assert.ok(report.responses[version]! > 0, version);
  const early = samples.slice(WARM_UP, 2 * WARM_UP);
  const late = samples.slice(-WARM_UP);
  const growth = (kind: keyof Sample) => least(late, kind) / least(early, kind);
  const measured = { ...report, rss: growth('rss'), native: growth('native') };
  console.log(JSON.stringify(measured));
  for (const kind of ['rss', 'native'] as const) {
    assert.ok(growth(kind) <= MAX_GROWTH, `${kind} has grown: ${JSON.stringify(measured)}`);
  }
});
