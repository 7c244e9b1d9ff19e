/** @module Folders from Hugging Face are tried in a process of their own, with their tokenizers. */
import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { probeInChild } from '../../../../services/tools/validate/index.ts';
import { temporaryFiles } from '../../../support/files.ts';
import { root } from '../../support.ts';

async function probe(fixture: string, damage: Readonly<Record<string, string>> = {}) {
  using files = temporaryFiles({});
  cpSync(path.join(root, 'test/fixtures/text', fixture), files.path, { recursive: true });
  for (const [name, content] of Object.entries(damage)) {
    writeFileSync(path.join(files.path, name), content);
  }
  const run = probeInChild({
    ...{ device: 'cpu', engineCache: files.path, batchSize: undefined, ortLibrary: undefined },
    ...{ validationMemoryBytes: 4096 * 1024 ** 2, validationTimeoutMs: 60_000 },
  });
  return await run({ model: 'm', version: 'v1', folder: files.path, config: null });
}

test('an encoder and a generator have the signatures with which they are served', async () => {
  const [encoder, generator] = [await probe('bert-embed'), await probe('t5')];
  assert.deepEqual(
    encoder.outputs.map(({ name }) => name),
    ['last_hidden_state'],
  );
  assert.deepEqual(
    generator.inputs.map(({ name }) => name),
    ['input_ids', 'parameters'],
  );
});

test('a damaged tokenizer is a reason to refuse it', async () => {
  await assert.rejects(probe('bert-embed', { 'tokenizer.json': '{"model": 7}' }), {
    code: 'REJECTED',
    message: /tokenizer/,
  });
  await assert.rejects(probe('bert-embed', { 'modules.json': '7' }), {
    code: 'REJECTED',
    message: /^modules\.json of 'm' is wrong/,
  });
});
