/** @module Names of classes: from which file they reach the predictions, and what is said where they cannot. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Signature } from '../../../native/types.ts';
import { temporaryFiles } from '../../support/files.ts';
import { PuppetEngine, type PuppetScript, puppetClassifier } from '../../support/puppet-engine.ts';
import { testService } from '../../support/service.ts';
import { jsonOf, openApp, predict, ROW } from '../support.ts';

/** A model whose output of three scores is named as transformers names it. */
function logits(): PuppetScript {
  const { signature, run } = puppetClassifier();
  const outputs = [{ ...signature.outputs[0]!, name: 'logits' }];
  const named: Signature = { ...signature, outputs };
  return { signature: named, run: (inputs) => ({ logits: run(inputs).scores! }) };
}

const id2label = (...labels: string[]) => JSON.stringify({ id2label: { ...labels } });
const TASK = '{"task":"classification"}';

for (const [title, files, prediction] of [
  [
    'of config.json beside onnx/',
    { 'm/config.json': id2label('a', 'b', 'c'), 'm/onnx/model.onnx': '', 'm/model.json': TASK },
    'a',
  ],
  [
    'of config.json beside the folders of versions',
    { 'm/config.json': id2label('a', 'b', 'c'), 'm/1/model.onnx': '', 'm/model.json': TASK },
    'a',
  ],
  [
    'of model.json, which come first',
    {
      'm/config.json': id2label('a', 'b', 'c'),
      'm/model.onnx': '',
      'm/model.json': '{"task":"classification","labels":["x","y","z"]}',
    },
    'x',
  ],
  [
    'of config.json that do not fit are left out',
    { 'm/config.json': id2label('a', 'b'), 'm/model.onnx': '', 'm/model.json': TASK },
    0,
  ],
  [
    'of a config.json that is not valid are left out beside folders of versions',
    { 'm/config.json': 'no JSON', 'm/1/model.onnx': '', 'm/model.json': TASK },
    0,
  ],
] as const) {
  test(`labels ${title}`, async () => {
    using repository = temporaryFiles(files);
    const opened = await openApp(new PuppetEngine(logits), { modelPath: repository.path });
    try {
      const body = await jsonOf(await predict(opened.app, { features: ROW }));
      assert.equal(body.prediction, prediction);
      const ready = JSON.stringify(await jsonOf(await opened.app.request('/ready')));
      assert.equal(/config\.json.* (have no effect|is not valid)/.test(ready), prediction === 0);
    } finally {
      await opened.close();
    }
  });
}

test('labels without a task name the classes, or a note in /ready and the log says that they do not', async () => {
  const versions = { '1': '' };
  using service = await testService({
    models: {
      fitting: { config: { labels: ['x', 'y', 'z'] }, versions },
      other: { config: { labels: ['x', 'y'] }, versions },
    },
  });
  const named = await jsonOf(await service.predict({ model: 'fitting', features: ROW }));
  assert.equal(named.prediction, 'x');
  const scores = await jsonOf(await service.predict({ model: 'other', features: ROW }));
  assert.ok(Array.isArray(scores.prediction));
  const { models } = await jsonOf(await service.app.request('/ready'));
  const notes = JSON.stringify(models);
  assert.match(notes, /labels.* has no effect on predictions/);
  const logged = service.lines.filter(({ msg }) => /"labels" .* no effect/.test(String(msg)));
  assert.deepEqual(
    logged.map(({ model }) => model),
    ['other'],
  );
});
