/** @module The routes of the vision service under the gateway, with a photo, over real connections. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ServiceChild } from '../support/child.ts';
import { stateFolder } from '../support/store.ts';

interface Classified {
  readonly predictions: readonly { readonly class: string; readonly confidence: number }[];
}

interface Job {
  readonly job_id: string;
  readonly status: string;
  readonly result: Classified;
}

const top = fileURLToPath(new URL('../..', import.meta.url));
const photo = readFileSync(path.join(top, 'models/efficientnet-lite0/cat.jpg'));
const CATS = ['Egyptian cat', 'tiger cat', 'tabby'];

describe('the gateway', () => {
  let state: Awaited<ReturnType<typeof stateFolder>>;
  let child: ServiceChild;
  let url: string;
  before(async () => {
    state = await stateFolder();
    const env = {
      ...{ MODEL_PATH: path.join(top, 'models'), SERVICE: 'gateway', PORT: '0', MAX_WORKERS: '2' },
      ...{ STATE_DIR: state.path, CACHE_DIR: `${state.path}/cache` },
    };
    child = new ServiceChild('services/main.ts', env);
    url = `http://127.0.0.1:${await child.port()}`;
  });
  after(async () => {
    await child[Symbol.asyncDispose]();
    state[Symbol.dispose]();
  });

  test('says that a cat is a cat, on every thread and for clients side by side', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const form = new FormData();
        form.append('image', new Blob([photo]), 'cat.jpg');
        form.append('top_k', '3');
        const response = await fetch(`${url}/classify`, { method: 'POST', body: form });
        assert.equal(response.status, 200);
        return (await response.json()) as Classified;
      }),
    );
    for (const { predictions } of answers) {
      assert.deepEqual(predictions.map((each) => each.class).toSorted(), CATS.toSorted());
    }
  });

  test('has a job that classifies', async () => {
    const body = { image: `data:image/jpeg;base64,${photo.toString('base64')}`, top_k: 1 };
    const submitted = await fetch(`${url}/jobs`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ service: 'vision', path: '/classify', body }),
    });
    assert.equal(submitted.status, 202);
    const { job_id } = (await submitted.json()) as Job;
    const done = (await (await fetch(`${url}/jobs/${job_id}?wait=20s`)).json()) as Job;
    assert.equal(done.status, 'succeeded');
    assert.ok(CATS.includes(done.result.predictions[0]!.class));
  });

  test('refuses a broken photo without harm to the next one', async () => {
    const send = (body: Uint8Array<ArrayBuffer>) =>
      fetch(`${url}/classify?top_k=1`, {
        method: 'POST',
        headers: { 'Content-Type': 'image/jpeg' },
        body,
      });
    const broken = await send(new Uint8Array(photo.subarray(0, photo.length / 2)));
    assert.equal(broken.status, 400);
    assert.equal(((await broken.json()) as { code: string }).code, 'INVALID_IMAGE');
    const whole = await send(new Uint8Array(photo));
    assert.ok(CATS.includes(((await whole.json()) as Classified).predictions[0]!.class));
  });

  test('describes the routes', async () => {
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object };
    for (const route of ['/classify', '/detect', '/segment', '/embed-image']) {
      assert.ok(route in document.paths, route);
    }
  });
});
