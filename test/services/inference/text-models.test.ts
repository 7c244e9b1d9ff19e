/** @module The protocol for models of texts: their tensors are tokens, also those of a generation. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openEngine } from '../../../native/index.ts';
import { createLog, createRuntime, type Runtime } from '../../../runtime/index.ts';
import { createServiceApp } from '../../../services/http/create-service-app.ts';
import { inference } from '../../../services/inference/index.ts';
import { testConfig } from '../../support/service.ts';

const NAMES = ['t5', 'gpt2', 'bert-sentiment'];

let root = '';
let runtime: Runtime;
let close: () => Promise<void>;
before(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'millrace-text-'));
  for (const name of NAMES) {
    cpSync(path.join('test/fixtures/text', name), path.join(root, name), { recursive: true });
  }
  const engine = openEngine();
  runtime = await createRuntime(testConfig(root), engine, { log: createLog('silent') });
  close = async () => {
    await runtime.close();
    await engine.close();
  };
});
after(async () => {
  await close();
  rmSync(root, { recursive: true });
});

async function ask(target: string, body?: object) {
  const app = createServiceApp(runtime, inference);
  const init =
    body === undefined
      ? {}
      : {
          method: 'POST',
          body: JSON.stringify(body),
          headers: { 'Content-Type': 'application/json' },
        };
  const response = await app.request(`/v2/models/${target}`, init);
  // biome-ignore lint/suspicious/noExplicitAny: a response may be any JSON
  return { status: response.status, json: (await response.json()) as any };
}

const ids = (...data: readonly number[]) => ({
  name: 'input_ids',
  shape: [1, data.length],
  datatype: 'INT64',
  data,
});
const parameters = (text: string) => ({
  name: 'parameters',
  shape: [1],
  datatype: 'BYTES',
  data: [text],
});

describe('a model that generates text', () => {
  test('has the metadata of its tokens', async () => {
    const { json } = await ask('t5');
    assert.deepEqual(json.inputs, [
      { name: 'input_ids', datatype: 'INT64', shape: [1, -1] },
      { name: 'parameters', datatype: 'BYTES', shape: [1] },
    ]);
    assert.deepEqual(json.outputs, [
      { name: 'output_ids', datatype: 'INT64', shape: [1, -1] },
      { name: 'finish_reason', datatype: 'BYTES', shape: [1] },
      { name: 'score', datatype: 'FP32', shape: [1] },
    ]);
  });

  test('generates as its files say, or as the parameters do', async () => {
    const prompt = ids(24, 320, 10, 128, 1);
    const usual = await ask('t5/infer', { inputs: [prompt] });
    assert.equal(usual.status, 200, JSON.stringify(usual.json));
    const [tokens, reason] = usual.json.outputs;
    assert.deepEqual([tokens.shape, reason.data], [[1, 39], ['length']]);
    const beams = '{"maxNewTokens":3,"numBeams":2}';
    const short = await ask('t5/infer', { inputs: [prompt, parameters(beams)] });
    assert.deepEqual(short.json.outputs[0].data.length, 3);
    assert.ok(short.json.outputs[2].data[0] < 0, 'beam search has a score');
    const only = await ask('t5/infer', { inputs: [prompt], outputs: [{ name: 'output_ids' }] });
    assert.deepEqual(only.json.outputs, [tokens]);
  });

  for (const [what, model, inputs, message] of [
    [
      'a token beyond the vocabulary',
      't5',
      [ids(24, 99_999)],
      /must be from 0 to 639 but is 99999/,
    ],
    ['a prompt beyond the positions', 'gpt2', [ids(...Array(200).fill(5))], /at most 128/],
    [
      'more tokens than the encoder reads',
      't5',
      [ids(...Array(100_000).fill(5))],
      /'input_ids' has 100000 tokens, but the model reads at most 64; send fewer/,
    ],
    [
      'two sequences',
      't5',
      [{ ...ids(1, 2), shape: [2, 1] }],
      /one sequence, but is int64 with \[2,1\]/,
    ],
    ['no prompt', 't5', [parameters('{}')], /'input_ids' is missing/],
    ['parameters that are no JSON', 't5', [ids(1), parameters('{')], /'parameters' is not JSON/],
    ['an unknown parameter', 't5', [ids(1), parameters('{"max":3}')], /unknown key 'max'/],
    [
      'more forbidden words than a request may have',
      't5',
      [ids(1), parameters(JSON.stringify({ badWordsIds: Array(90_000).fill([5]) }))],
      /badWordsIds must be a list whose length is at most 1000/,
    ],
    [
      'more beams than a request may have',
      't5',
      [ids(1), parameters('{"numBeams":64}')],
      /numBeams must be at most 16 but is 64/,
    ],
    [
      'more texts that end it than a request may have',
      't5',
      [ids(1), parameters(JSON.stringify({ stop: Array(17).fill('a') }))],
      /stop must be a list whose length is at most 16/,
    ],
    ['no new token', 't5', [ids(1), parameters('{"maxNewTokens":0}')], /maxNewTokens/],
  ] as const) {
    test(`refuses ${what}`, async () => {
      const { status, json } = await ask(`${model}/infer`, { inputs });
      assert.equal(status, 400, JSON.stringify(json));
      assert.match(json.error, message);
    });
  }

  test('has its tokens and the memory of its keys and values in the metrics', async () => {
    await ask('gpt2/infer', { inputs: [ids(5, 6, 7), parameters('{"maxNewTokens":4}')] });
    const page = await runtime.metrics.render();
    const value = (line: string) => Number(new RegExp(`^${line} (.*)$`, 'm').exec(page)?.[1]);
    const labels = 'model="gpt2",version="1"';
    assert.ok(value(`millrace_model_tokens_total\\{${labels},kind="generated"\\}`) >= 4);
    assert.ok(value(`millrace_model_tokens_total\\{${labels},kind="prompt"\\}`) >= 3);
    assert.equal(value(`millrace_model_kv_cache_bytes\\{${labels},state="reserved"\\}`), 0);
    assert.ok(value(`millrace_model_kv_cache_bytes\\{${labels},state="peak"\\}`) > 0);
    assert.equal(value(`millrace_model_kv_cache_bytes\\{${labels},state="limit"\\}`), 2 ** 30);
    assert.ok(!page.includes('millrace_model_tokens_total{model="bert-sentiment"'));
  });
});

describe('a classifier of texts', () => {
  const pair = { ...ids(2, 9, 3), name: 'token_type_ids', data: [0, 0, 0] };

  test('has the labels of its scores, and a mask if none is sent', async () => {
    const outputs = [{ name: 'logits', parameters: { classification: 3 } }];
    const { json } = await ask('bert-sentiment/infer', { inputs: [ids(2, 9, 3), pair], outputs });
    const labels = json.outputs[0].data.map((entry: string) => entry.split(':')[2]);
    assert.deepEqual(labels.toSorted(), ['negative', 'neutral', 'positive']);
  });

  test('refuses a token beyond its vocabulary', async () => {
    const { status, json } = await ask('bert-sentiment/infer', {
      inputs: [ids(2, 99_999, 3), pair],
    });
    assert.equal(status, 400);
    assert.match(json.error, /out of data bounds/);
  });
});
