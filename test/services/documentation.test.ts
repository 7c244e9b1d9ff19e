/** @module Tests that the guides list all settings, metrics and keys of `model.json`, and name what a reader needs. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { settingsHelp } from '../../runtime/index.ts';
import { modelConfigSchema } from '../../runtime/repository/index.ts';
import { services } from '../../services/services.ts';
import { testService } from '../support/service.ts';

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

/** The code spans in the first column of the table under a heading, sorted. */
function listed(file: string, heading: string): string[] {
  const text = read(file);
  const section = text.slice(text.indexOf(`\n## ${heading}\n`) + 1);
  const [, ...rows] = section.split(/^\|/m).slice(1);
  const end = section.indexOf('\n## ', 1);
  const cells = rows
    .filter((row) => end === -1 || section.indexOf(row) < end)
    .map((row) => row.split('|')[0]!);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)).sort();
}

test('README.md lists every setting', () => {
  const names = settingsHelp(services).map(({ flag }) =>
    flag.slice(2).replaceAll('-', '_').toUpperCase(),
  );
  assert.deepEqual(listed('README.md', 'Settings'), names.sort());
});

test('README.md lists every metric except those of the process', async () => {
  using service = await testService();
  const page = await service.runtime.metrics.render();
  const names = [...page.matchAll(/^# TYPE (?!process_)(\S+)/gm)].map(([, name]) => name!);
  assert.deepEqual(listed('README.md', 'Metrics'), names.sort());
});

test('models/README.md lists every key of model.json', () => {
  const names = Object.keys(modelConfigSchema.shape);
  assert.deepEqual(listed('models/README.md', 'model.json'), names.sort());
});

describe('the playground can be found', () => {
  for (const file of ['README.md', 'services/nlp/README.md']) {
    test(`in ${file}, on the port of its service`, () => {
      const pages = [...read(file).matchAll(/\(http:\/\/localhost:(\d+)\/playground\)/g)];
      const ports = pages.map(([, port]) => Number(port)).sort();
      const all = services.map(({ defaultPort }) => defaultPort).sort();
      assert.deepEqual(ports, file === 'README.md' ? all : [8002]);
    });
  }
});

describe('a guide that downloads or exports models', () => {
  const guide = read('services/nlp/README.md');

  test('says which packages have the commands, before they are used', () => {
    for (const [name, command] of [
      ['huggingface_hub', 'hf download'],
      ['optimum-onnx', 'optimum-cli export'],
    ] as const) {
      const installed = guide.indexOf(`pip install ${name}`);
      const quoted = guide.indexOf(`pip install '${name}`);
      const at = Math.max(installed, quoted);
      assert.ok(at !== -1 && at < guide.indexOf(`\n${command}`), command);
    }
  });

  test('downloads one precision of each model', () => {
    const downloads = [...guide.matchAll(/^hf download [^\\\n]*(?:\\\n[^\\\n]*)*/gm)].map(
      ([text]) => text,
    );
    assert.ok(downloads.length >= 2);
    for (const text of downloads) assert.match(text, /--include 'onnx\/\w+\.onnx\*'/);
  });

  test('keeps them in a folder that git ignores', () => {
    assert.match(guide, / my-models\//);
    assert.match(read('.gitignore'), /^my-models\/$/m);
  });
});

test('the guides that start a server with npx say what passes SIGTERM on', () => {
  for (const service of ['cli', 'inference', 'nlp']) {
    const text = read(`services/${service}/README.md`).replaceAll('\n', ' ');
    assert.match(text, /`npx` does not pass SIGTERM on.*`node services\/cli\/millrace\.mjs serve/);
  }
});
