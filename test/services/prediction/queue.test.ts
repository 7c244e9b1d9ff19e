/** @module Tests that `/predict` applies the queue policy of `config.pbtxt`, as the infer route does. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PuppetModel } from '../../support/puppet-engine.ts';
import { type TestService, testService } from '../../support/service.ts';
import { until } from '../../support/until.ts';

const row = [1, 2, 3, 4];

/** Creates the service with one model that records the options of its runs. */
async function serve(policies: string) {
  const triton = `max_batch_size: 16 dynamic_batching { ${policies} }`;
  const service = await testService({ models: { m: { triton, versions: { '1': '' } } } });
  const model = service.model('m:1');
  const run = model.run.bind(model);
  const options: (Parameters<PuppetModel['run']>[1] & object)[] = [];
  model.run = (inputs, runOptions = {}) => {
    options.push(runOptions);
    return run(inputs, runOptions);
  };
  return { service, model, options };
}

const tensor = { name: 'features', datatype: 'FP32', shape: [1, 4], data: row };
const infer = ({ app }: TestService) =>
  app.request('/v2/models/m/infer', {
    method: 'POST',
    body: JSON.stringify({ inputs: [tensor] }),
  });

describe('a queue policy', () => {
  test('gives requests without a priority the default level', async () => {
    const { service, options } = await serve('priority_levels: 5 default_priority_level: 3');
    using _ = service;
    assert.equal((await service.predict({ features: row })).status, 200);
    assert.equal((await infer(service)).status, 200);
    assert.deepEqual(
      options.map(({ priority }) => priority),
      [2, 2],
      'the engine counts from 0',
    );
  });

  test('limits the time that requests wait', async () => {
    const { service, model, options } = await serve(
      `priority_levels: 2 default_priority_level: 2
      priority_queue_policy { key: 2 value: { default_timeout_microseconds: 30000 } }`,
    );
    using _ = service;
    model.hold();
    const [predicted, inferred] = await Promise.all([
      service.predict({ features: row }),
      infer(service),
    ]);
    assert.deepEqual([predicted.status, inferred.status], [504, 504]);
    assert.deepEqual(
      options.map(({ timeoutMs }) => timeoutMs),
      [30, 30],
    );
    await until(() => model.stats().queued === 0, 'nothing waits');
    model.release();
  });

  test('does not extend the deadline of a client', async () => {
    const { service, options } = await serve(
      'default_queue_policy { default_timeout_microseconds: 5000000 }',
    );
    using _ = service;
    const response = await service.predict({ features: row }, { 'X-Request-Timeout-Ms': '1000' });
    assert.equal(response.status, 200);
    assert.ok(options[0]!.timeoutMs! <= 1000, String(options[0]!.timeoutMs));
  });
});
