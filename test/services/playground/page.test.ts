import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { jsonOf, type Opened, openApp, ROW } from '../support.ts';

let service: Opened;
before(async () => {
  service = await openApp();
});
after(() => service.close());

test('the page and every file that it names come from the service, with their types', async () => {
  const page = await service.app.request('/playground');
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-type')!, /^text\/html/);
  const html = await page.text();
  const files = [...html.matchAll(/(?:src|href)="(\/playground\/[^"]+)"/g)].map(
    ([, file]) => file!,
  );
  assert.deepEqual(files, ['/playground/style.css', '/playground/app.js']);
  const seen = new Set<string>();
  const check = async (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    const response = await service.app.request(path);
    assert.equal(response.status, 200, path);
    const isScript = path.endsWith('.js');
    assert.match(response.headers.get('content-type')!, isScript ? /javascript/ : /css/, path);
    const text = await response.text();
    for (const [, name] of text.matchAll(/from '(\.[^']+)'/g)) {
      if (isScript) await check(new URL(name!, `http://localhost${path}`).pathname);
    }
  };
  for (const file of files) await check(file);
  const { title, panels } = await jsonOf(await service.app.request('/playground/panels.json'));
  assert.equal(title, 'Prediction service');
  for (const panel of panels as string[]) await check(`/playground/panels/${panel}.js`);
  assert.ok(seen.size >= 7);
});

test('the models come with the default first, and with a row of named features', async () => {
  const { models } = await jsonOf(await service.app.request('/playground/models.json'));
  const listed = models as { name: string; features: string[]; row: number[]; inputs: object[] }[];
  const place = (wanted: string) => listed.findIndex(({ name }) => name === wanted);
  const iris = listed[place('iris')];
  assert.ok(place('iris') < place('diabetes'), 'each task may have a default, but this is none');
  assert.equal(iris!.features[0], 'sepal_length_cm');
  assert.deepEqual(iris!.row, ROW);
  const tensor = { name: 'features', datatype: 'FP32', shape: [1, 4], data: ROW };
  assert.deepEqual(iris!.inputs, [tensor]);
});

test('the page may load and run only what the service serves', async () => {
  const policy = (await service.app.request('/playground')).headers.get('content-security-policy')!;
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
});

test('a file that has not changed is not sent again', async () => {
  const etag = (await service.app.request('/playground/app.js')).headers.get('etag')!;
  const again = await service.app.request('/playground/app.js', {
    headers: { 'If-None-Match': etag },
  });
  assert.equal(again.status, 304);
  assert.equal(await again.text(), '');
});

describe('a file outside the page is not found', () => {
  for (const path of [
    '/playground/index.ts',
    '/playground/../index.ts',
    '/playground/%2e%2e/index.ts',
    '/playground/..%2findex.ts',
    '/playground/panels/',
    '/playground/panels/none.js',
  ]) {
    test(path, async () => {
      assert.equal((await service.app.request(path)).status, 404);
    });
  }
});
