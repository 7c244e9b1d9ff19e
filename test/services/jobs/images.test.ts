/** @module Tests of jobs on images: single ones, and batches of the files of an archive. The models run on the real engine. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openEngine } from '../../../native/index.ts';
import { createLog, createRuntime } from '../../../runtime/index.ts';
import { gateway as definition } from '../../../services/gateway/index.ts';
import { createServiceApp } from '../../../services/http/create-service-app.ts';
import { tarOf, type ZipMember, zipOf } from '../../support/archives.ts';
import { temporaryFiles } from '../../support/files.ts';
import { testConfig } from '../../support/service.ts';
import { testStore } from '../../support/store.ts';
import { colorClassifier, dataUrl, plainImage } from '../vision/support.ts';
import { linesOf } from './support.ts';

const store = await testStore();
const models = temporaryFiles(
  Object.fromEntries(
    Object.entries(colorClassifier()).map(([file, content]) => [`colors/${file}`, content]),
  ),
);
const state = temporaryFiles({ 'a.txt': '' });
const engine = openEngine();
const config = { ...testConfig(models.path), stateDir: state.path, jobConcurrency: 2 };
const runtime = await createRuntime(config, engine, {
  store: Promise.resolve(store),
  log: createLog('silent'),
});
const app = createServiceApp(runtime, definition);

after(async () => {
  await runtime.drain();
  await runtime.close();
  await engine.close();
  await store.close();
  models[Symbol.dispose]();
  state[Symbol.dispose]();
});

const red = await plainImage('#ff0000');
const green = await plainImage('#00ff00', 'jpeg');
const blue = await plainImage('#0000ff', 'webp');

const QUERY = '?service=vision&path=/classify&top_k=1';

async function send(
  archive: Uint8Array,
  query = QUERY,
  headers: Readonly<Record<string, string>> = { 'Content-Type': 'application/zip' },
) {
  const body = archive as Uint8Array<ArrayBuffer>;
  const response = await app.request(`/jobs/batches${query}`, { method: 'POST', headers, body });
  return { status: response.status, body: await response.json() };
}

const read = async (path: string) => (await app.request(path)).json();
const ended = (id: string) => read(`/jobs/${id}?wait=20s`);
const resultsOf = async (id: string) => linesOf(await app.request(`/jobs/${id}/results`));

const MIXED: readonly ZipMember[] = [
  { name: 'cats/1.png', text: red },
  { name: 'cats/' },
  { name: 'notes.txt', text: 'nothing to see' },
  { name: '__MACOSX/._1.png', text: 'x' },
  { name: 'cut.jpg', text: green.subarray(0, green.length - 40) },
  { name: '../2.jpg', text: green },
  { name: 'crc.png', text: red, crc: 1 },
  { name: '3.webp', text: blue },
];

test('a job classifies an image', async () => {
  const body = { image: dataUrl(red), top_k: 1 };
  const response = await app.request('/jobs', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ service: 'vision', path: '/classify', body }),
  });
  assert.equal(response.status, 202);
  const { job_id } = await response.json();
  const job = await ended(job_id);
  assert.equal(job.status, 'succeeded');
  assert.deepEqual(job.result.predictions[0].class, 'red');
});

test('a batch of a zip archive has a result for each file, with its name, in order', async () => {
  const made = await send(zipOf(MIXED));
  assert.equal(made.status, 202);
  const results = await resultsOf(made.body.job_id);
  assert.deepEqual(
    results.map(({ index, file, status, body }) => [
      ...[
        index,
        file,
        status,
        body.code ?? body.predictions.map((each: { class: string }) => each.class),
      ],
    ]),
    [
      [0, 'cats/1.png', 200, ['red']],
      [1, 'notes.txt', 415, 'UNSUPPORTED_MEDIA_TYPE'],
      [2, 'cut.jpg', 400, 'INVALID_IMAGE'],
      [3, '../2.jpg', 200, ['green']],
      [4, 'crc.png', 400, 'INVALID_IMAGE'],
      [5, '3.webp', 200, ['blue']],
    ],
  );
  const job = await ended(made.body.job_id);
  const { status, progress, lines, done_lines, failed_lines } = job;
  assert.deepEqual([status, progress, lines, done_lines, failed_lines], ['succeeded', 1, 6, 6, 3]);
  const uploads = join(state.path, 'uploads');
  assert.deepEqual(existsSync(uploads) ? readdirSync(uploads) : [], []);
});

test('a batch of a tar archive is the same', async () => {
  const archive = await tarOf([
    { name: './a/1.png', text: red },
    { name: 'b.webp', text: blue },
  ]);
  const made = await send(archive, QUERY, { 'Content-Type': 'application/x-tar' });
  assert.equal(made.status, 202);
  const results = await resultsOf(made.body.job_id);
  assert.deepEqual(
    results.map(({ file, body }) => [file, body.predictions[0].class]),
    [
      ['./a/1.png', 'red'],
      ['b.webp', 'blue'],
    ],
  );
});

test('the parameters of the query are options of each request', async () => {
  const one = zipOf([{ name: 'a.png', text: red }]);
  const options = 'top_k=3&threshold=0.3&background=%23ffffff&tolerant=1&model=&model_version=1';
  const all = await send(one, `?service=vision&path=/classify&${options}`);
  const [found] = await resultsOf(all.body.job_id);
  assert.equal(found.body.predictions.length, 1);
});

test('the same key, archive and options make the same batch', async () => {
  const headers = { 'Content-Type': 'application/zip', 'Idempotency-Key': 'photos' };
  const one = zipOf([{ name: 'a.png', text: red }]);
  const first = await send(one, QUERY, headers);
  const again = await send(one, QUERY, headers);
  const options = await send(one, `${QUERY}&threshold=0.5`, headers);
  const other = await send(zipOf([{ name: 'b.png', text: red }]), QUERY, headers);
  assert.deepEqual(
    [first.status, again.status, options.status, other.status],
    [202, 200, 409, 409],
  );
  assert.equal(again.body.job_id, first.body.job_id);
});

test('progress rises, and a batch can be cancelled while it runs', async () => {
  const large = await plainImage('#123456', 'jpeg', { width: 3000, height: 3000 });
  const members = Array.from({ length: 300 }, (_, i) => ({ name: `${i}.jpg`, text: large }));
  const made = await send(zipOf(members));
  const id = made.body.job_id;
  const events = await app.request(`/jobs/${id}/events`);
  const reader = events.body!.getReader();
  let text = '';
  while (!/"done_lines":[1-9]/.test(text)) {
    const { value } = await reader.read();
    text += new TextDecoder().decode(value);
  }
  const { status, progress } = await (
    await app.request(`/jobs/${id}`, { method: 'DELETE' })
  ).json();
  await reader.cancel();
  assert.equal(status, 'cancelled');
  assert.ok(progress > 0 && progress < 1, `${progress}`);
  assert.equal((await ended(id)).status, 'cancelled');
});

const one = zipOf([{ name: 'a.png', text: red }]);
const mistakes: readonly (readonly [string, Uint8Array, string, RegExp, number])[] = [
  ['no archive', Buffer.from('nothing'), QUERY, /zip archive/, 400],
  ['half of it', one.subarray(0, one.length / 2), QUERY, /zip archive/, 400],
  ['nothing', new Uint8Array(), QUERY, /zip archive/, 400],
  ['an empty archive', zipOf([]), QUERY, /no files/, 400],
  ['an encrypted archive', zipOf([{ name: 'a', text: red, flags: 1 }]), QUERY, /encrypted/, 400],
  ['another service', one, '?service=nlp&path=/embed', /service=vision/, 400],
  ['another route', one, '?service=vision&path=/predict', /path must be/, 400],
  ['a path that takes no images', one, '?service=nlp&path=/embed&a=1', /service=vision/, 400],
  ['an unknown option', one, `${QUERY}&treshold=1`, /treshold.*threshold/, 400],
  ['an option of another route', one, `${QUERY}&iou=0.5`, /iou/, 400],
  ['a wrong option', one, `${QUERY}&threshold=2`, /threshold must be at most 1/, 400],
  ['an option twice', one, `${QUERY}&top_k=2`, /top_k must be a number/, 400],
  ['no path', one, '?service=vision', /path/, 400],
  ['an image in the query', one, `${QUERY}&image=x`, /image is made of the files/, 400],
  ['a wrong time', one, `${QUERY}&ttl_seconds=0`, /ttl_seconds/, 400],
];
for (const [what, archive, query, message, expected] of mistakes) {
  test(`a batch with ${what} is refused, and nothing is left of it`, async () => {
    const before = await store.query('select count(*) from jobs');
    const { status, body } = await send(archive, query);
    assert.equal(status, expected, JSON.stringify(body));
    assert.match(body.error, message);
    assert.deepEqual(await store.query('select count(*) from jobs'), before);
    assert.deepEqual(readdirSync(join(state.path, 'uploads')), []);
  });
}
