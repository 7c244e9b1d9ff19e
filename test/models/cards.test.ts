/** @module Tests that the cards of the demonstration models describe the files that are committed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileSizes, readJson, readText } from './support.ts';

const MEGABYTE = 1e6;
const texts = ['minilm', 'ner', 'sentiment'];

/** The models of images, by their graph. */
const images: Readonly<Record<string, string>> = {
  'efficientnet-lite0': 'onnx/model_int8.onnx',
  'face-detection': 'v1.0/model.onnx',
  mnist: 'v1.0/model.onnx',
  nanodet: 'v1.0/model.onnx',
  'selfie-segmentation': 'v1.0/model.onnx',
};

interface Config {
  readonly architectures: readonly string[];
  readonly vocab_size: number;
  readonly num_hidden_layers: number;
  readonly id2label?: Readonly<Record<string, string>>;
  readonly label2id?: Readonly<Record<string, number>>;
}

const architectures: Readonly<Record<string, string>> = {
  minilm: 'BertModel',
  ner: 'BertForTokenClassification',
  sentiment: 'BertForSequenceClassification',
};

test('no file of models/ is larger than 25 MB, and all together have at most 60 MB', () => {
  const sizes = [...fileSizes('.')];
  for (const [file, size] of sizes) assert.ok(size <= 25 * MEGABYTE, `${file} has ${size} bytes`);
  const sum = sizes.reduce((total, [, size]) => total + size, 0);
  assert.ok(sum <= 60 * MEGABYTE, `${sum} bytes`);
});

for (const name of texts) {
  test(`the card of ${name} has the size, the vocabulary and the labels of its files`, () => {
    const card = readText(name, 'README.md');
    const config = readJson<Config>(name, 'config.json');
    assert.deepEqual(config.architectures, [architectures[name]]);
    const size = fileSizes(name).get('onnx/model_int8.onnx')!;
    assert.ok(card.includes(`${(size / MEGABYTE).toFixed(1)} MB`), `the card lacks ${size} bytes`);
    assert.ok(card.includes(`${config.num_hidden_layers} layers`));
    assert.ok(card.includes(`${config.vocab_size.toLocaleString('en')} pieces`));
    const labels = Object.values(config.id2label ?? {});
    for (const [i, label] of labels.entries()) {
      assert.equal(config.label2id?.[label], i);
      assert.ok(card.includes(`\`${label}\``), `the card lacks the label ${label}`);
    }
    const { model } = readJson<{ model: { vocab: Record<string, number> } }>(
      name,
      'tokenizer.json',
    );
    assert.deepEqual(
      Object.values(model.vocab).sort((a, b) => a - b),
      Array.from({ length: config.vocab_size }, (_, id) => id),
    );
  });
}

for (const name of [...texts, ...Object.keys(images)]) {
  test(`the card of ${name} names its source, its licence, its limits and the command that makes it`, () => {
    const card = readText(name, 'README.md');
    for (const part of [/\*\*This is a demonstration\.\*\*/, /Apache-2\.0/, /^## Limits$/m]) {
      assert.match(card, part);
    }
    const [, script] = /python -B (models\/train\/\w+\.py)/.exec(card) ?? [];
    assert.ok(readText('..', script!).includes(script!));
    assert.ok(readText('README.md').includes(`[${name}/README.md](${name}/README.md)`));
  });
}

for (const [name, graph] of Object.entries(images)) {
  test(`the card of ${name} has the size and the labels of its files`, () => {
    const card = readText(name, 'README.md');
    const size = fileSizes(name).get(graph)!;
    const written =
      size < 1e5 ? `${(size / 1e3).toFixed(1)} kB` : `${(size / MEGABYTE).toFixed(1)} MB`;
    assert.ok(card.includes(`\`${graph}\`, ${written}`), `the card lacks ${size} bytes`);
    const { labels } = readJson<{ labels?: readonly string[] }>(name, 'model.json');
    const names = labels ?? Object.values(readJson<Config>(name, 'config.json').id2label!);
    assert.equal(new Set(names).size, names.length, 'a label is there twice');
    assert.match(
      card,
      new RegExp(`\\| labels \\| .*\`${names[0]}\`|${names.length.toLocaleString('en')}`),
    );
  });
}
