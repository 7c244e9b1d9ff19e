import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { batchPieces } from '../../../services/jobs/batch-body.ts';
import { ended, linesOf, openJobs, PREDICT, submitBatch } from './support.ts';

const gateway = await openJobs({ maxRequestBytes: 300 });
after(() => gateway[Symbol.asyncDispose]());

const body = JSON.stringify(PREDICT.body);
const STREAM = '/v2/models/iris/generate_stream';

test('a batch is one job, with a result for each line in order', async () => {
  const lines = [body, '{"features": "x"}', '', '{', '[]', body];
  const made = await submitBatch(gateway, lines.join('\n'));
  assert.equal(made.status, 202);
  const results = await linesOf(await gateway.app.request(`/jobs/${made.body.job_id}/results`));
  assert.deepEqual(
    results.map(({ index, status, body: { code } }) => [index, status, code]),
    [
      [0, 200, undefined],
      [1, 400, 'INVALID_ARGUMENT'],
      [2, 400, 'INVALID_JSON'],
      [3, 400, 'INVALID_ARGUMENT'],
      [4, 200, undefined],
    ],
  );
  assert.equal(results[0].body.predictions.length, 2);
  const job = await ended(gateway, made.body.job_id);
  const { status, progress, lines: count, done_lines, failed_lines, result } = job;
  assert.deepEqual([status, progress, count, done_lines, failed_lines], ['succeeded', 1, 5, 5, 3]);
  assert.equal(result, undefined);
});

test('the results of a job that is no batch are one line', async () => {
  const { body: made } = await gateway.send('POST', '/jobs', PREDICT);
  const response = await gateway.app.request(`/jobs/${made.job_id}/results`);
  assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
  const [only, ...rest] = await linesOf(response);
  assert.deepEqual([only.index, only.status, rest], [0, 200, []]);
});

test('a batch that arrives in many pieces is the same', async () => {
  const bytes = new TextEncoder().encode(`${body}\n`.repeat(200));
  let at = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + 7));
      at += 7;
    },
  });
  const { body: made } = await submitBatch(gateway, stream);
  const { status, lines, failed_lines } = await ended(gateway, made.job_id);
  assert.deepEqual([status, lines, failed_lines], ['succeeded', 200, 0]);
});

test('the same key and lines make the same batch', async () => {
  const query = '?service=prediction&path=/predict&max_attempts=2&ttl_seconds=60';
  const headers = { 'Idempotency-Key': 'batch' };
  const first = await submitBatch(gateway, `${body}\n`, query, headers);
  const again = await submitBatch(gateway, `${body}\n`, query, headers);
  const other = await submitBatch(gateway, `${body}\n${body}\n`, query, headers);
  assert.deepEqual([first.status, again.status, other.status], [202, 200, 409]);
  assert.equal(again.body.job_id, first.body.job_id);
  const job = await ended(gateway, first.body.job_id);
  assert.equal(job.max_attempts, 2);
});

const target = 'service=prediction&path=/predict';
const mistakes: readonly (readonly [string, string, BodyInit, Record<string, string>, number])[] = [
  ['no query', '', body, {}, 400],
  ['no service', '?path=/predict', body, {}, 400],
  ['no path', '?service=prediction', body, {}, 400],
  ['an unknown service', '?service=admin&path=/predict', body, {}, 400],
  ['another route', '?service=prediction&path=/jobs', body, {}, 400],
  ['an unknown parameter', `?${target}&attempts=2`, body, {}, 400],
  ['attempts that are no number', `?${target}&max_attempts=two`, body, {}, 400],
  ['no time', `?${target}&ttl_seconds=0`, body, {}, 400],
  ['a local webhook', `?${target}&webhook=https://10.0.0.1/`, body, {}, 400],
  ['a wrong key', `?${target}`, body, { 'Idempotency-Key': 'ä' }, 400],
  ['no lines', `?${target}`, '', {}, 400],
  ['blank lines', `?${target}`, '\n \n', {}, 400],
  ['JSON', `?${target}`, body, { 'Content-Type': 'application/json' }, 415],
  ['text', `?${target}`, body, { 'Content-Type': 'text/plain' }, 415],
  ['a route of streams', `?service=inference&path=${STREAM}`, body, {}, 400],
  ['bytes', `?${target}`, body, { 'Content-Type': 'application/octet-stream' }, 415],
  ['compressed lines', `?${target}`, body, { 'Content-Encoding': 'gzip' }, 415],
  ['too many bytes', `?${target}`, body, { 'Content-Length': String(2 ** 31) }, 413],
  ['the site of somebody else', `?${target}`, body, { Origin: 'https://evil.example' }, 403],
];

for (const [what, query, lines, headers, status] of mistakes) {
  test(`a batch with ${what} is refused`, async () => {
    const before = await gateway.store.query('select count(*) from jobs');
    const reply = await submitBatch(gateway, lines, query, headers);
    assert.deepEqual(
      [reply.status, Object.keys(reply.body)],
      [status, ['error', 'code', 'request_id']],
    );
    assert.deepEqual(await gateway.store.query('select count(*) from jobs'), before);
  });
}

test('a line that is longer than a body may be fails alone', async () => {
  const long = JSON.stringify({ features: Array.from({ length: 100 }, () => 1.5) });
  const { body: made } = await submitBatch(gateway, `${body}\n${long}\n${body}`);
  const results = await linesOf(await gateway.app.request(`/jobs/${made.job_id}/results`));
  assert.deepEqual(
    results.map(({ status }) => status),
    [200, 413, 200],
  );
});

test('a line whose response would be a stream does not run', async () => {
  const lines = ['{"text": "a", "stream": true}', '{"text": "a", "stream": 1}', '{'];
  const query = '?service=nlp&path=/summarize';
  const { body: made } = await submitBatch(gateway, lines.join('\n'), query);
  const results = await linesOf(await gateway.app.request(`/jobs/${made.job_id}/results`));
  const errors = [/a stream of events/, /stream must be true or false/, /not valid JSON/];
  for (const [i, error] of errors.entries()) assert.match(results[i].body.error, error);
});

test('a sender that is too slow is not waited for', async () => {
  const left = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(`${body}\n`)),
    cancel: () => left.resolve(),
  });
  const request = new Request('http://localhost/', { method: 'POST', body: stream });
  const pieces = batchPieces(request, 10);
  assert.equal((await pieces.next()).value!.length, body.length + 1);
  await assert.rejects(pieces.next(), { code: 'BODY_TIMEOUT' });
  await left.promise;
});
