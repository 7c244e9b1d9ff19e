/** @module Registered artifacts that are folders from Hugging Face are served as those of the repository are. */
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Engine, openEngine } from '../../../native/index.ts';
import { ChangeSequencer, createMember } from '../../../runtime/bus.ts';
import { probeArtifact } from '../../../runtime/catalog/index.ts';
import { createLog } from '../../../runtime/index.ts';
import type { Loading } from '../../../runtime/load-version.ts';
import { Registry } from '../../../runtime/registry/index.ts';
import { temporaryFiles } from '../../support/files.ts';
import { loading } from '../../support/loading.ts';
import { testConfig } from '../../support/service.ts';

const FIXTURES = path.resolve('test/fixtures/text');
const SETTINGS = { device: 'cpu', engineCache: '', batchSize: undefined };

let engine: Engine;
let opened: Loading;
before(() => {
  engine = openEngine();
  opened = loading(engine);
});
after(async () => {
  await opened.tokenizers.close();
  await engine.close();
});

const registered = (name: string, fixture: string, config: object | null = null) => ({
  name,
  labels: {},
  route: undefined,
  routeSource: undefined,
  versions: [
    {
      version: 'v1',
      digest: `sha256:${fixture}`,
      config,
      signature: null,
      path: path.join(FIXTURES, fixture),
    },
  ],
});

test('a registered encoder and a registered generator are served with their tasks', async () => {
  using folder = temporaryFiles({ 'README.md': '' });
  const log = createLog('silent');
  const config = testConfig(folder.path);
  const registry = await Registry.open(config, opened, () => 0, log, log, true);
  const bus = new ChangeSequencer([createMember((change) => registry.prepare(change), log)]);
  const models = [
    registered('mood', 'bert-sentiment', { labels: ['bad', 'so-so', 'good'] }),
    registered('writer', 't5'),
    registered('judge', 'bert-sentiment', { task: 'rerank' }),
  ];
  await bus.publish({ kind: 'catalog', snapshot: { models } });
  const { routes } = registry;
  const any = { model: undefined, version: undefined };
  const mood = routes.describe({ ...any, tasks: ['text-classification'] });
  assert.deepEqual([mood.model, mood.version], ['mood', 'v1']);
  assert.deepEqual(mood.text!.labels, ['bad', 'so-so', 'good']);
  assert.ok(mood.text!.batched);
  const writer = routes.describe({ ...any, tasks: ['text2text-generation'] });
  assert.equal(writer.text!.generation!.encoderDecoder, true);
  const { outputs } = await writer.run(writer.exampleRow(), {});
  assert.equal(outputs.output_ids!.dims[0], 1);
  assert.equal(routes.describe({ ...any, tasks: ['rerank'] }).model, 'judge');
  assert.ok(registry.complete());
  await registry.close();
});

test('a bare graph that is registered as a newer version gets no request that names none, and says why', async () => {
  const face = path.join(FIXTURES, 'bert-ner');
  using folder = temporaryFiles({
    'models/README.md': '',
    'bare/model.onnx': '',
  });
  copyFileSync(path.join(face, 'onnx/model.onnx'), path.join(folder.path, 'bare/model.onnx'));
  const lines: Record<string, unknown>[] = [];
  const log = createLog('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const config = testConfig(path.join(folder.path, 'models'));
  const registry = await Registry.open(config, opened, () => 0, log, log, true);
  const bus = new ChangeSequencer([createMember((change) => registry.prepare(change), log)]);
  const { versions, ...model } = registered('ner', 'bert-ner');
  const bare = {
    ...versions[0]!,
    version: 'v2',
    digest: '2',
    path: path.join(folder.path, 'bare'),
  };
  const models = [{ ...model, versions: [...versions, bare] }];
  await bus.publish({ kind: 'catalog', snapshot: { models } });
  const tasks = ['token-classification'] as const;
  const { routes } = registry;
  assert.equal(routes.resolve({ model: 'ner', version: undefined, tasks }).version, 'v1');
  assert.equal(routes.resolve({ model: 'ner', version: 'v2' }).version, 'v2');
  const why =
    "version 'v2' does no known task, because its files have no config.json whose architecture is known and model.json names no task; register a folder that also holds config.json and tokenizer.json";
  assert.throws(() => routes.resolve({ model: 'ner', version: 'v2', tasks }), {
    code: 'WRONG_TASK',
    message: `The request needs token-classification, but of model 'ner' ${why}, or name version 'v1'.`,
  });
  const reason = `Requests that name no version still go to version 'v1', which does token-classification: ${why}, or promote this version.`;
  assert.equal(registry.whyNotServed('ner', 'v2'), reason);
  assert.equal(registry.whyNotServed('ner', 'v1'), undefined);
  const [status] = registry.status();
  assert.deepEqual(
    status!.versions.map((each) => each.reason),
    ['', reason],
  );
  assert.deepEqual(
    lines.filter(({ msg }) => msg === 'not the default').map((line) => line.reason),
    [reason],
  );
  const promoted = [{ ...models[0]!, labels: { stable: 'v2' } }];
  await bus.publish({ kind: 'catalog', snapshot: { models: promoted } });
  assert.equal(routes.resolve({ model: 'ner', version: undefined }).version, 'v2');
  assert.equal(registry.whyNotServed('ner', 'v2'), undefined);
  await registry.close();
});

describe('before it is registered, it is tried', () => {
  const probe = (fixture: string, config: object | null = null) =>
    probeArtifact(
      opened,
      { model: 'm', version: 'v1', folder: path.join(FIXTURES, fixture), config },
      SETTINGS,
    );

  test('with the tokens of a text', async () => {
    const { inputs, outputs, costs } = await probe('distilbert-sentiment');
    assert.deepEqual(
      inputs.map(({ name, datatype, shape }) => [name, datatype, shape]),
      [
        ['input_ids', 'INT64', [-1, -1]],
        ['attention_mask', 'INT64', [-1, -1]],
      ],
    );
    assert.deepEqual(outputs, [{ name: 'logits', datatype: 'FP32', shape: [-1, 2] }]);
    const buckets = costs.map((cost) => 'lengths' in cost && cost.lengths);
    for (const length of [16, 32, 64]) {
      assert.ok(
        buckets.some((lengths) => JSON.stringify(lengths) === `{"sequence_length":${length}}`),
      );
    }
  });

  test('with a generation', async () => {
    const { inputs, outputs } = await probe('gpt2');
    assert.deepEqual(
      [...inputs, ...outputs].map(({ name, datatype }) => [name, datatype]),
      [
        ['input_ids', 'INT64'],
        ['parameters', 'BYTES'],
        ['output_ids', 'INT64'],
        ['finish_reason', 'BYTES'],
        ['score', 'FP32'],
      ],
    );
  });

  test('and refused with the reason', async () => {
    await assert.rejects(probe('bert-sentiment', { labels: ['a'] }), {
      message: /names 1 labels, but output 'logits' has 3 scores/,
    });
    await assert.rejects(probe('bert-sentiment', { task: 'token-classification' }), {
      message: /The task token-classification needs an output of floats/,
    });
    await assert.rejects(probe('bert-sentiment', { dtype: 'int8' }), {
      message: /asks for dtype int8, but there is only model\.onnx/,
    });
  });
});
