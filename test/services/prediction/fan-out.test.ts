/** @module Tests requests with many rows for a model that takes one row per run: a failure cancels the other runs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MillraceError } from '../../../native/errors.ts';
import { prediction } from '../../../services/prediction/index.ts';
import { puppetClassifier } from '../../support/puppet-engine.ts';
import { testService } from '../../support/service.ts';
import { until } from '../../support/until.ts';
import { inference } from '../inference/support.ts';

const row = [1, 2, 3, 4];

/** A model that takes one row per run, and fails if the row begins with -1. */
function singleRow() {
  const puppet = puppetClassifier();
  const batching = { enabled: false, maxRows: 1, reason: '' };
  return {
    signature: { ...puppet.signature, batching },
    run(inputs: Parameters<typeof puppet.run>[0]) {
      if (inputs.features!.data[0] === -1)
        throw new MillraceError('INVALID_ARGUMENT', 'No such row');
      return puppet.run(inputs);
    },
  };
}

describe('a request of sixty rows', () => {
  test('cancels the waiting runs if a row is invalid, starts no others, and keeps its permit and the version until all runs have ended', async () => {
    using service = await testService({ engine: singleRow });
    const model = service.model('iris:v2.0');
    const { completed } = model.stats();
    model.hold();
    const features = Array.from({ length: 60 }, (_, i) => (i === 1 ? [-1, 0, 0, 0] : row));
    const refused = service.predict({ features });
    await until(() => model.stats().queued === 2, 'the first rows wait');
    let ended = false;
    void refused.then(() => {
      ended = true;
    });
    const closed = service.runtime.close();
    assert.equal(service.runtime.admission.inFlight, 1);
    assert.ok(!ended && !model.closed, 'the version is held while its runs go on');
    model.release();
    assert.equal((await refused).status, 400);
    const { counts } = model;
    assert.equal(counts.queued, 0, 'no run of the request is left');
    assert.equal(counts.completed + counts.failed + counts.cancelled, completed + 2);
    await until(() => service.runtime.admission.inFlight === 0, 'the permit is back');
    await closed;
    assert.ok(model.closed);
  });

  test('cancels every run when its deadline passes', async () => {
    using service = await testService({ engine: singleRow });
    const model = service.model('iris:v2.0');
    model.hold();
    const timeout = { 'X-Request-Timeout-Ms': '30' };
    const late = await service.predict({ features: Array(60).fill(row) }, timeout);
    assert.equal(late.status, 504);
    await until(() => model.stats().queued === 0, 'nothing waits');
    await until(() => service.runtime.admission.inFlight === 0, 'the permit is back');
    model.release();
  });

  test('does not delay the next request on the real engine if it fails', async () => {
    const config = { batching: false, lanes: 1 };
    const files = { 's/1/model.onnx': '=slow-loop', 's/model.json': JSON.stringify(config) };
    await using server = await inference(files, {}, { service: prediction });
    const post = (features: unknown) =>
      server.post('/predict', { features }, { 'Content-Type': 'application/json' });
    const stats = () => server.runtime.routes.describe({ model: 's', version: undefined }).stats();
    const before = stats().completed;
    // Each row takes about 50 ms, so all of them take three seconds on an idle machine.
    const turns = 50_000;
    const rows = Array.from({ length: 60 }, () => [turns]);
    const refused = await post(rows.with(1, [0.5]));
    assert.equal(refused.status, 400, 'a value that does not fit is refused before any run');
    assert.equal(stats().completed, before);
    // A later failure, of a row or by the deadline, also cancels the others.
    const gone = await server.post(
      '/predict',
      { features: rows },
      { 'Content-Type': 'application/json', 'X-Request-Timeout-Ms': '20' },
    );
    assert.equal(gone.status, 504);
    const next = await post([1]);
    assert.equal(next.status, 200, next.text);
    const ran = stats().completed - before;
    assert.ok(ran <= 10, `${ran} rows ran`);
  });
});
