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
  const again = await import('../../runtime/metrics.ts');
  const other = again.createMetrics(one.engine.counters, () => [], one.runtime.log);
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
