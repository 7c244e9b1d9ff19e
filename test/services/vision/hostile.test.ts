/** @module Sends every hostile file and body to the service over HTTP: each is refused with a sentence, and the process lives on. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { hostileFiles } from '../../runtime/image/decode/hostile-files.ts';
import { imageFile } from '../../runtime/image/decode/support.ts';
import { assertBelow } from '../../support/below.ts';
import { ServiceChild } from '../../support/child.ts';
import { type TemporaryFiles, temporaryFiles } from '../../support/files.ts';
import { hostileBodies } from './hostile-bodies.ts';
import type { Sent } from './intake-support.ts';
import { colorClassifier } from './support.ts';

const MIB = 1024 * 1024;
/** A response is on its way within this time, milliseconds. The test and the service share the processors. */
const LIMIT_MS = 200;
const TRIES = 4;
/** Bodies that are longer are refused while they are sent, which `fetch` may take for an error of the connection. */
const MOST_BYTES = 16 * MIB;
/** How much more memory a repetition may take, because garbage is not collected at the same moments. */
const MORE = 128 * MIB;

let folder: TemporaryFiles;
let child: ServiceChild;
let url: string;
before(async () => {
  const files = Object.entries(colorClassifier()).map(([name, file]) => [`colors/${name}`, file]);
  folder = temporaryFiles(Object.fromEntries(files));
  const env = {
    MODEL_PATH: folder.path,
    CACHE_DIR: `${folder.path}/cache`,
    SERVICE: 'vision',
    PORT: '0',
  };
  child = new ServiceChild('services/main.ts', env);
  url = `http://127.0.0.1:${await child.port()}/classify`;
  assert.equal((await post({ body: imageFile('baseline.jpg'), type: 'image/jpeg' })).status, 200);
});
after(async () => {
  await child[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function post({ body, type, headers, query = '' }: Sent) {
  const startedMs = performance.now();
  const response = await fetch(url + query, {
    method: 'POST',
    body,
    headers: { ...headers, ...(type !== undefined && { 'Content-Type': type }) },
  });
  const ms = performance.now() - startedMs;
  return { ms, status: response.status, text: await response.text() };
}

async function assertRefused(sent: Sent, code: string): Promise<void> {
  await assertBelow(LIMIT_MS, TRIES, async () => {
    const { ms, status, text } = await post(sent);
    assert.ok(status >= 400 && status < 500, `${status} ${text}`);
    const found = JSON.parse(text) as { error: string; code: string };
    assert.equal(found.code, code, text);
    assert.match(found.error, /^[^\n]*\.$/);
    return ms;
  });
}

const sizeOf = ({ body }: Sent) => (body instanceof Uint8Array ? body.length : 0);
const asFile = (file: Uint8Array<ArrayBuffer>): Sent => ({ body: file, type: 'image/jpeg' });

describe('a file is refused:', () => {
  for (const [name, file, code] of hostileFiles) {
    test(name, async () => {
      const sent = asFile(file());
      if (sizeOf(sent) > MOST_BYTES) return;
      // A body without bytes has no image at all.
      await assertRefused(sent, sizeOf(sent) === 0 ? 'INVALID_ARGUMENT' : code);
    });
  }
});

describe('a body is refused:', () => {
  for (const [name, sent, code] of hostileBodies) {
    test(name, async () => {
      const body = sent();
      if (sizeOf(body) <= MOST_BYTES) await assertRefused(body, code);
    });
  }
});

test('afterwards the process serves as before, and has not grown', async () => {
  const all = async () => {
    for (const [, file] of hostileFiles) {
      const sent = asFile(file());
      if (sizeOf(sent) <= MOST_BYTES) await post(sent);
    }
  };
  const before = child.peakMemory();
  await all();
  await all();
  const rise = child.peakMemory() - before;
  assert.ok(rise < MORE, `rose by ${rise / MIB} MiB`);
  const { status, text } = await post(asFile(imageFile('baseline.jpg')));
  assert.equal(status, 200, text);
  assert.deepEqual(
    child.log.filter(({ level }) => level === 'error'),
    [],
  );
  assert.equal(child.errors, '');
});
