/** @module Tests that the guides list all settings, metrics and keys of `model.json`. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { settingsHelp } from '../../runtime/index.ts';
import { modelConfigSchema } from '../../runtime/repository/index.ts';
import { services } from '../../services/services.ts';
import { testService } from '../support/service.ts';

/** The code spans in the first column of the table under a heading, sorted. */
function listed(file: string, heading: string): string[] {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
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
