import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addImageMetrics } from '../../runtime/metrics/images.ts';
import { Metrics } from '../../runtime/metrics/index.ts';
import {
  formatHead,
  formatSample,
  type MetricHead,
  type Sample,
} from '../../runtime/metrics/text-format.ts';
import { PuppetEngine } from '../support/puppet-engine.ts';
import { testService } from '../support/service.ts';

const empty = () => new Metrics(new PuppetEngine().counters, () => []);

const formatMetric = (head: MetricHead, samples: readonly Sample[]) =>
  [formatHead(head), ...samples.map((sample) => formatSample(head, sample))].join('');

test('the page shows the histograms of the addon in the text format of Prometheus', async () => {
  using service = await testService();
  const { metrics } = service.runtime;
  const names = { method: 'POST', route: '/predict', status: '200', service: 'prediction' };
  const series = metrics.http.series(names);
  for (const seconds of [0.0004, 0.003, 180]) series.observe(seconds);
  const page = await metrics.render();
  const labels = 'method="POST",route="/predict",status="200",service="prediction"';
  for (const line of [
    `http_requests_total{${labels}} 3`,
    `http_request_duration_seconds_bucket{${labels},le="0.0005"} 1`,
    `http_request_duration_seconds_bucket{${labels},le="0.005"} 2`,
    `http_request_duration_seconds_bucket{${labels},le="120"} 2`,
    `http_request_duration_seconds_bucket{${labels},le="+Inf"} 3`,
    `http_request_duration_seconds_count{${labels}} 3`,
    'model_inference_duration_seconds_count{model="iris",version="v1.0"} 1',
    'millrace_model_requests_total{model="iris",version="v2.0",outcome="completed"} 1',
    'millrace_model_queue_depth{model="iris",version="v1.0"} 0',
    'millrace_model_info{model="iris",version="v1.0",device="cpu",fallback="0"} 1',
    'millrace_model_ready{model="iris",version="v1.0"} 1',
    'millrace_repository_skipped 0',
    'millrace_images_decoding 0',
    'millrace_image_memory_bytes 0',
  ]) {
    assert.ok(page.includes(`${line}\n`), `${line} is not in\n${page}`);
  }
  assert.match(page, /^# TYPE http_request_duration_seconds histogram$/m);
  assert.match(page, /^process_cpu_user_seconds_total /m);
});

describe('metrics that JavaScript counts', () => {
  test('are counters, gauges and histograms, with labels in the order of their declaration', async () => {
    const metrics = empty();
    const hits = metrics.counter({ name: 'hits_total', help: 'Hits', labels: ['cache', 'tenant'] });
    const one = hits.series({ tenant: 'a', cache: 'x' });
    one.add();
    one.add(41);
    hits.series({ cache: 'x', tenant: 'b' }).add();
    const jobs = metrics.gauge({ name: 'jobs', help: 'Jobs', labels: [] }).series({});
    for (const amount of [3, -2, 5, -5]) jobs.add(amount);
    const options = { name: 'job_seconds', help: 'Time of a job', labels: ['kind'] } as const;
    metrics.histogram(options, [1, 60]).series({ kind: 'k' }).observe(2);
    const page = await metrics.render();
    for (const lines of [
      '# HELP hits_total Hits\n# TYPE hits_total counter\n',
      'hits_total{cache="x",tenant="a"} 42\nhits_total{cache="x",tenant="b"} 1\n',
      '# HELP jobs Jobs\n# TYPE jobs gauge\njobs 1\n',
      'job_seconds_bucket{kind="k",le="1"} 0\njob_seconds_bucket{kind="k",le="60"} 1\n',
      'job_seconds_bucket{kind="k",le="+Inf"} 1\njob_seconds_sum{kind="k"} 2\n',
    ]) {
      assert.ok(page.includes(lines), `${lines} is not in\n${page}`);
    }
  });

  test('cannot have the name of another metric', async () => {
    const metrics = empty();
    const options = { name: 'http_requests_total', help: 'x', labels: [] };
    assert.throws(() => metrics.counter(options), /http_requests_total is declared twice/);
  });

  test('are the same in two threads of a process', async () => {
    const { counters } = new PuppetEngine();
    const threads = [new Metrics(counters, () => []), new Metrics(counters, () => [])];
    const labels = { method: 'GET', route: '/ready', status: '200', service: 'prediction' };
    for (const { http } of threads) http.series(labels).observe(0.1);
    const names = 'method="GET",route="/ready",status="200",service="prediction"';
    for (const thread of threads) {
      assert.ok((await thread.render()).includes(`http_requests_total{${names}} 2\n`));
    }
  });
});

describe('the text format', () => {
  const head = { name: 'm', type: 'gauge', help: 'A \\ and a\nline' } as const;

  test('escapes what would end a label or a line', async () => {
    const text = formatMetric(head, [{ labels: { a: 'x"y\\z\n{},=é', b: '' }, value: 1 }]);
    assert.equal(
      text,
      '# HELP m A \\\\ and a\\nline\n# TYPE m gauge\nm{a="x\\"y\\\\z\\n{},=é",b=""} 1\n',
    );
  });

  test('writes every number as Prometheus reads it', async () => {
    const values = [0, 1e21, 1e-7, -0.5, Number.NaN, Number.POSITIVE_INFINITY, -Infinity, 2 ** 53];
    const lines = formatMetric(
      head,
      values.map((value) => ({ labels: {}, value })),
    );
    const wanted = ['0', '1e+21', '1e-7', '-0.5', 'NaN', '+Inf', '-Inf', '9007199254740992'];
    assert.deepEqual(
      lines.split('\n').slice(2, -1),
      wanted.map((value) => `m ${value}`),
    );
  });
});

test('the page shows what images that are being decoded take at the moment', async () => {
  const metrics = empty();
  const decoder = { usage: { decoding: 0, bytes: 0 } };
  addImageMetrics(metrics, decoder);
  decoder.usage = { decoding: 2, bytes: 4096 };
  const page = await metrics.render();
  assert.ok(page.includes('\nmillrace_images_decoding 2\n'), page);
  assert.ok(page.includes('\nmillrace_image_memory_bytes 4096\n'), page);
});

test('series that other code counts in the same process are not shown', async () => {
  using service = await testService();
  const { counters } = service.engine;
  counters.observe(counters.series('not ours', [1]), 0.5);
  counters.observe(counters.series('["neither"]', [1]), 0.5);
  assert.doesNotMatch(await service.runtime.metrics.render(), /not ours|neither/);
});

test('the page shows what the batcher has measured for each model', async () => {
  using service = await testService();
  const model = service.model('iris:v1.0');
  model.measured = {
    ...model.measured,
    stuckInstances: 1,
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
    `millrace_model_stuck_instances{${labels}} 1`,
    'millrace_model_stuck_instances{model="iris",version="v2.0"} 0',
    `millrace_model_returning_clients_ratio{${labels}} 0.75`,
    `millrace_model_expected_wait_seconds{${labels}} 0.012`,
    `millrace_model_batch_cost_mean_seconds{${labels},rows="1"} 0.002`,
    `millrace_model_batch_cost_high_seconds{${labels},rows="1"} 0.003`,
    `millrace_model_batch_cost_mean_seconds{${shaped}} 0.004`,
    `millrace_model_batch_cost_high_seconds{${shaped}} 0.006`,
  ]) {
    assert.ok(page.includes(`${line}\n`), `${line} is not in\n${page}`);
  }
});

test('the page describes the process, and not the thread that renders it', async () => {
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

test('a model that is unloaded while the page is being written still appears on it', async () => {
  using service = await testService({
    config: { modelControlMode: 'explicit', loadModels: ['*'] },
  });
  let unloading: Promise<void> | undefined;
  const pause = async () => {
    unloading ??= service.runtime.repository.unload('iris');
    await unloading;
  };
  const page = await service.runtime.metrics.render({ pause });
  assert.match(page, /millrace_model_running\{model="iris",version="v2.0"\} 0/);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(service.model('iris:v2.0').closed);
});
