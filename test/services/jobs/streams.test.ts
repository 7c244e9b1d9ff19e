import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { currentHost } from '../../../runtime/index.ts';
import { until } from '../../support/until.ts';
import { openJobs, PREDICT, submit, submitBatch } from './support.ts';

const gateway = await openJobs({ jobConcurrency: 0 });
const { store } = gateway;
const { jobs } = gateway.runtime.platform!;
const listener = await currentHost().listen({
  hostname: '127.0.0.1',
  port: 0,
  setting: 'PORT',
  idleTimeoutSecs: 10,
  shared: false,
  fetch: gateway.app.fetch,
});
after(async () => {
  await gateway.runtime.drain();
  await listener.stop();
  await gateway[Symbol.asyncDispose]();
});

const url = (path: string) => `http://127.0.0.1:${listener.port}${path}`;

/** Reads a response until its text matches. */
async function reads(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  pattern: RegExp,
): Promise<string> {
  let text = '';
  while (!pattern.test(text)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`The response has ended: ${text}`);
    text += new TextDecoder().decode(value);
  }
  return text;
}

test('events show the job at each change, and end with it', async () => {
  const id = await submit(gateway);
  const response = await fetch(url(`/jobs/${id}/events`));
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  assert.equal(response.headers.get('cache-control'), 'no-store');
  const reader = response.body!.getReader();
  const first = await reads(reader, /\n\n$/);
  assert.match(
    first,
    /^event: job\ndata: \{"job_id":"job_[0-9a-f]{32}","status":"queued",.*\}\n\n$/,
  );
  await jobs.cancel(undefined, id);
  assert.match(await reads(reader, /\n\n$/), /^event: job\ndata: .*"status":"cancelled"/);
  assert.ok((await reader.read()).done);
  assert.equal(jobs.watched, 0);
});

test('a client that leaves is not waited for', async () => {
  const id = await submit(gateway);
  for (const path of ['events', 'results', '?wait=60s']) {
    const gone = new AbortController();
    const left = fetch(url(`/jobs/${id}/${path}`.replace('/?', '?')), { signal: gone.signal }).then(
      (response) => response.text(),
    );
    await until(() => jobs.watched === 1, `${path} is open`);
    gone.abort();
    await assert.rejects(left);
    await until(() => jobs.watched === 0, `${path} is closed`);
  }
  await jobs.cancel(undefined, id);
});

test('results wait for a slow reader, and are forgotten when it leaves', async () => {
  const { body } = await submitBatch(gateway, `${JSON.stringify(PREDICT.body)}\n`.repeat(64));
  // The results of a batch that has run: 100 chunks of 256 KiB.
  await store.query(
    `insert into job_chunks (job_id, chunk, first_line, lines, output)
     select $1, n, 0, 1, rpad('{"index":0', 262143, ' ') || chr(10) from generate_series(1, 100) as n`,
    [body.job_id],
  );
  await store.query(
    "update job_chunks set output = '{}' || chr(10) where job_id = $1 and chunk = 0",
    [body.job_id],
  );
  const socket = connect(listener.port, '127.0.0.1');
  socket.write(`GET /jobs/${body.job_id}/results HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await new Promise((resolve) => socket.once('readable', resolve));
  let queries = 0;
  const original = store.query.bind(store);
  const counting: typeof store.query = (text, values) => {
    if (text.includes('select chunk, output')) queries += 1;
    return original(text, values);
  };
  Object.assign(store, { query: counting });
  // Other requests are served meanwhile.
  for (let i = 0; i < 20; i += 1) await fetch(url('/jobs')).then((response) => response.text());
  assert.ok(queries < 60, `${queries} chunks were read`);
  socket.destroy();
  await until(() => jobs.watched === 0, 'the reader is forgotten');
  Object.assign(store, { query: original });
  await jobs.cancel(undefined, body.job_id);
});

test('a stop ends events and waits, and breaks off results', async () => {
  const id = await submit(gateway);
  const events = fetch(url(`/jobs/${id}/events`)).then((response) => response.text());
  const wait = fetch(url(`/jobs/${id}?wait=60s`)).then((response) => response.json());
  const results = fetch(url(`/jobs/${id}/results`)).then((response) => response.text());
  results.catch(() => undefined);
  await until(() => jobs.watched === 1, 'they wait');
  await until(async () => (await store.query('select 1')).length === 1, 'the store answers');
  await jobs.drain();
  assert.match(await events, /"status":"queued"/);
  assert.equal(((await wait) as { status: string }).status, 'queued');
  await assert.rejects(results);
});
