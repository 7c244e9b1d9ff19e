import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testService } from '../support/service.ts';

test('the page shows native histograms as Prometheus does', async () => {
  using service = await testService();
  const { metrics } = service.runtime;
  const series = metrics.httpSeries('POST', '/predict', 200);
  metrics.observe(series, 0.0004);
  metrics.observe(series, 0.003);
  metrics.observe(series, 60);
  const page = await metrics.render();
  const labels = 'method="POST",route="/predict",status="200"';
  for (const line of [
    `http_requests_total{${labels}} 3`,
    `http_request_duration_seconds_bucket{${labels},le="0.0005"} 1`,
    `http_request_duration_seconds_bucket{${labels},le="0.005"} 2`,
    `http_request_duration_seconds_bucket{${labels},le="+Inf"} 3`,
    `http_request_duration_seconds_count{${labels}} 3`,
    'model_inference_duration_seconds_count{model="iris",version="v1.0"} 1',
    'model_requests_total{model="iris",version="v2.0",outcome="completed"} 1',
    'model_queue_depth{model="iris",version="v1.0"} 0',
    'model_info{model="iris",version="v1.0",device="cpu",fallback="0"} 1',
  ]) {
    assert.ok(page.includes(`${line}\n`), `${line} is not in\n${page}`);
  }
  assert.match(page, /^# TYPE http_request_duration_seconds histogram$/m);
  assert.match(page, /^process_cpu_user_seconds_total /m);
});

test('two threads of a process show the same counts', async () => {
  using one = await testService();
  const again = await import('../../runtime/metrics/index.ts');
  const other = again.createMetrics(one.engine.counters, () => []);
  one.runtime.metrics.observe(one.runtime.metrics.httpSeries('GET', '/ready', 200), 0.1);
  other.observe(other.httpSeries('GET', '/ready', 200), 0.1);
  const line = 'http_requests_total{method="GET",route="/ready",status="200"} 2\n';
  assert.ok((await one.runtime.metrics.render()).includes(line));
  assert.ok((await other.render()).includes(line));
});

test('what others count in the same process is not shown', async () => {
  using service = await testService();
  const { counters } = service.engine;
  counters.observe(counters.series('not ours', [1]), 0.5);
  counters.observe(counters.series('["neither"]', [1]), 0.5);
  assert.doesNotMatch(await service.runtime.metrics.render(), /not ours|neither/);
});

test('the page shows what the batcher has learnt of each model', async () => {
  using service = await testService();
  const model = service.model('iris:v1.0');
  model.learnt = {
    ...model.learnt,
    stuckLanes: 1,
    returningShare: 0.75,
    expectedWaitMs: 12,
    costs: [
      { rows: 1, meanMs: 2, highMs: 3, samples: 9 },
      { rows: 8, meanMs: 4, highMs: 6, samples: 9, lengths: { tokens: 64, height: 2 } },
    ],
  };
  const page = await service.runtime.metrics.render();
  const labels = 'model="iris",version="v1.0"';
  const shaped = `${labels},lengths="tokens=64,height=2",rows="8"`;
  for (const line of [
    `model_stuck_lanes{${labels}} 1`,
    'model_stuck_lanes{model="iris",version="v2.0"} 0',
    `model_returning_clients_ratio{${labels}} 0.75`,
    `model_expected_wait_seconds{${labels}} 0.012`,
    `model_batch_cost_mean_seconds{${labels},rows="1"} 0.002`,
    `model_batch_cost_high_seconds{${labels},rows="1"} 0.003`,
    `model_batch_cost_mean_seconds{${shaped}} 0.004`,
    `model_batch_cost_high_seconds{${shaped}} 0.006`,
  ]) {
    assert.ok(page.includes(`${line}\n`), `${line} is not in\n${page}`);
  }
});

test('the page tells of the process, and nothing of the thread that renders it', async () => {
  using service = await testService();
  const page = await service.runtime.metrics.render();
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1]);
  const cpu = value('process_cpu_user_seconds_total') + value('process_cpu_system_seconds_total');
  assert.ok(Math.abs(value('process_cpu_seconds_total') - cpu) < 0.1);
  const age = Date.now() / 1000 - value('process_start_time_seconds');
  assert.ok(age > 0 && age < 3600, `${age} s`);
  assert.ok(value('process_resident_memory_bytes') > 1e6);
  assert.ok(value('process_open_fds') > 2);
  assert.doesNotMatch(page, /nodejs_/);
});
