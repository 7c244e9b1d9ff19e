/**
 * @module The soak: 10 minutes in `npm run verify`, which sets `SOAK=1`, else 20 seconds;
 * `SOAK_SECONDS` sets another time.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { faultsOf, type Limits, measure, type Report } from './check.ts';

const seconds = Number(process.env.SOAK_SECONDS ?? (process.env.SOAK === '1' ? 600 : 20));

/** A short run is mostly warm-up, and too short to measure a rate exactly. */
const limits: Limits =
  seconds >= 300
    ? { warmUp: 0.2, growth: 20 << 20, ratio: 1.05, pace: 0.95 }
    : { warmUp: 0.4, growth: 20 << 20, ratio: 1.1, pace: 0.7 };

async function soak(duration: number, ...parameters: readonly string[]): Promise<Report> {
  const script = path.join(import.meta.dirname, 'soak.fixture.ts');
  const child = spawn(process.execPath, [script, String(duration), ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = new Promise((resolve) => child.on('exit', resolve));
  const output = await text(child.stdout);
  assert.equal(await exit, 0, output);
  return JSON.parse(output);
}

test('a long mixed load passes all checks', { timeout: seconds * 2000 + 60_000 }, async () => {
  const report = await soak(seconds);
  const { tally, loads, workers } = report;
  const { growth, ratio, pace } = measure(report, limits);
  console.log(
    `${tally.started} requests (${tally.rejected} refused as they had to be), ${loads} models loaded, ` +
      `${workers} Workers; memory ${(growth / 2 ** 20).toFixed(1)} MiB more, x ${ratio.toFixed(3)}; ` +
      `requests a CPU second x ${pace.toFixed(3)}`,
  );
  assert.deepEqual(faultsOf(report, limits), []);
  assert.ok(tally.fulfilled > 100 * seconds && tally.rejected > seconds, JSON.stringify(tally));
  assert.ok(loads > seconds && workers >= seconds / 10, `${loads} loads, ${workers} Workers`);
});

test('a leak is found', { timeout: 120_000 }, async () => {
  const faults = faultsOf(await soak(10, 'leak'), limits);
  assert.ok(
    faults.some((fault) => fault.startsWith('memory grew by')),
    faults.join('; '),
  );
});
