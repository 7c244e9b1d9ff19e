/** @module Tests a repository with many invalid entries: the service starts, serves the models and logs every other entry once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ServiceChild } from '../support/child.ts';
import { temporaryFiles } from '../support/files.ts';
import { until } from '../support/until.ts';

const MODEL = fileURLToPath(new URL('../fixtures/models/identity-float32.onnx', import.meta.url));

/** Models in every layout, with their files in the repository. */
const MODELS = [
  'ours/v1.0/model.onnx',
  'triton/1/model.onnx',
  'face/onnx/model_quantized.onnx',
  'described/model.onnx',
  'named/1/best.onnx',
  'bare.onnx',
];

function fill(root: string): void {
  for (const file of MODELS) cpSync(MODEL, path.join(root, file), { recursive: true });
  for (const folder of ['', 'ours', 'triton', 'face', 'described', 'named']) {
    const at = (name: string) => path.join(root, folder, name);
    symlinkSync('nowhere', at('dangling'));
    symlinkSync('loop', at('loop'));
    execFileSync('mkfifo', [at('pipe')]);
    execFileSync('sh', ['-c', `printf x > "${path.join(root, folder)}/$(printf 'a\\377b.onnx')"`]);
    writeFileSync(at('._x.onnx'), '');
    for (const name of ['lost+found', '.git', '__pycache__', 'assets', 'empty', '9']) {
      mkdirSync(at(name));
    }
  }
}

test('models beside invalid entries are served, and polling continues', async () => {
  using repository = temporaryFiles({
    'triton/config.pbtxt': 'max_batch_size: 4',
    'face/config.json': '{}',
    'described/model.json': '{"batching": false}',
  });
  const { path: root } = repository;
  fill(root);
  await using child = new ServiceChild('services/main.ts', {
    MODEL_PATH: root,
    SERVICE: 'inference',
    PORT: '0',
    GRPC_PORT: '0',
    MAX_WORKERS: '2',
    MODEL_CONTROL_MODE: 'poll',
    REPOSITORY_POLL_SECS: '1',
  });
  const url = `http://127.0.0.1:${await child.port()}`;
  const get = async (route: string) => (await fetch(url + route)).json();
  const models = async () => ((await get('/v2/models')) as { models: string[] }).models;
  const good = ['bare', 'described', 'face', 'named', 'ours', 'triton'];
  assert.deepEqual(await models(), good);
  for (const route of ['/ready', '/v2/health/ready']) {
    const response = await fetch(url + route);
    assert.equal(response.status, 200, `${route}: ${await response.text()}`);
  }
  const index = await fetch(`${url}/v2/repository/index`, { method: 'POST' });
  assert.equal(index.status, 200);
  assert.equal(((await index.json()) as unknown[]).length, good.length);
  for (const name of good) {
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }];
    const response = await fetch(`${url}/v2/models/${name}/infer`, {
      method: 'POST',
      body: JSON.stringify({ inputs }),
    });
    assert.equal(response.status, 200, name);
  }

  cpSync(MODEL, path.join(root, 'later/1/model.onnx'), { recursive: true });
  await until(async () => (await models()).includes('later'), 'polling goes on');

  const { skipped } = (await get('/ready')) as { skipped: { name: string; reason: string }[] };
  for (const name of [
    'dangling',
    'loop',
    'pipe',
    'lost+found',
    'empty',
    'ours/9',
    'triton/assets',
  ]) {
    assert.ok(
      skipped.some((each) => each.name === name),
      `${name} is not named`,
    );
  }
  assert.ok(!JSON.stringify(skipped).includes(root));
  const logged = child.log.filter(({ msg }) => msg === 'skipped').map(({ name }) => name);
  assert.equal(new Set(logged).size, logged.length, 'each is logged once');
  assert.deepEqual(logged.toSorted(), skipped.map(({ name }) => name).toSorted());
  assert.equal(child.errors, '');
});
