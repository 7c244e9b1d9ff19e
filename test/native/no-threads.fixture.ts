/** @module Uses an engine while the addon can start only some threads, as `no-threads.cc` arranges. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { MillraceError } from '../../native/index.ts';
import { fixture, float32, open } from './support.ts';
import { startWorker } from './worker.ts';

const left = process.env.NO_THREADS!;
const path = fixture('identity-float32');
/** More threads than one load needs: reading the file, loading it, three workers, their watchdog, and closing it. */
const most = 10;

const engine = open();
const first = await engine.load({ path });
let refused = 0;
for (let threads = 0; threads <= most; threads += 1) {
  writeFileSync(left, `${threads}`);
  try {
    // The limit differs each time, so that no load shares a session with another.
    const model = await engine.load({ path, instances: 3, runLimitMs: threads + 1000 });
    await model.close();
  } catch (error) {
    assert.ok(error instanceof MillraceError);
    assert.equal(error.code, 'RESOURCE_EXHAUSTED');
    assert.match(error.message, /starts no more threads/);
    refused += 1;
  }
}
assert.ok(refused >= 3 && refused <= most, `${refused} loads were refused`);

// A Worker ends without closing its models: the hook at its end retires them.
rmSync(left);
const worker = startWorker('worker-exit.fixture.ts', 'not closed');
await once(worker, 'message');
writeFileSync(left, '0');
await worker.terminate();
await first.run({ x: float32([1, 2, 3]) });
await first.close();

rmSync(left);
const again = await engine.load({ path });
await again.run({ x: float32([1, 2, 3]) });
await engine.close();
console.log('ok');
