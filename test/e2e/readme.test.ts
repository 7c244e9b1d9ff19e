/** @module Runs the commands of the README and compares their output with the one it shows. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ServiceChild } from '../support/child.ts';
import { stateFolder } from '../support/store.ts';
import { assertShown, MODEL_TOLERANCE, stepsOf } from './documents.ts';

type TestResponse = Readonly<Record<string, unknown>>;

const top = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(path.join(top, 'README.md'), 'utf8');

const steps = stepsOf(readme).filter(({ command }) => command.startsWith('curl '));

/** Members of a response, of which it has one. */
const RESULTS = ['prediction', 'predictions', 'outputs', 'detections'];

const skip =
  spawnSync('curl', ['--version']).status === 0 ? false : 'curl is not installed (package curl)';

describe('README.md', { skip }, () => {
  let state: Awaited<ReturnType<typeof stateFolder>>;
  let child: ServiceChild;
  let ports: Readonly<Record<string, number>>;
  before(async () => {
    state = await stateFolder();
    child = new ServiceChild('services/main.ts', { PORT: '0', STATE_DIR: state.path });
    ({ ports } = (await child.line('ready')) as { ports: Record<string, number> });
  });
  after(async () => {
    await child[Symbol.asyncDispose]();
    state[Symbol.dispose]();
  });

  const run = (command: string): TestResponse => {
    const here = command
      .replaceAll('localhost:8001', `127.0.0.1:${ports.prediction}`)
      .replaceAll('localhost:8002', `127.0.0.1:${ports.nlp}`)
      .replaceAll('localhost:8003', `127.0.0.1:${ports.vision}`)
      .replaceAll('localhost:8000', `127.0.0.1:${ports.inference}`);
    assert.ok(here !== command, command);
    const { stdout, stderr } = spawnSync('sh', ['-c', here], { encoding: 'utf8', cwd: top });
    assert.equal(stderr, '');
    return JSON.parse(stdout) as TestResponse;
  };

  test('has curl commands', () => assert.ok(steps.length >= 6));

  for (const { command, shown } of steps) {
    test(`shows a command that works: ${command.replaceAll(/\s+/g, ' ').slice(-70)}`, () => {
      const response = run(command);
      assert.ok(!('error' in response), JSON.stringify(response));
      const tolerance = /localhost:800[23]/.test(command) ? MODEL_TOLERANCE : 0;
      if (shown !== undefined) assertShown(response, JSON.parse(shown), tolerance);
      else assert.ok(RESULTS.some((key) => key in response));
    });
  }

  test('answers the first question of the platform that this one replaces about texts', () => {
    const { label } = run(steps.find(({ command }) => command.includes('amazing'))!.command);
    assert.match(String(label), /^positive$/i);
    const { entities } = run(steps.find(({ command }) => command.includes('Apple'))!.command) as {
      entities: { text: string; label: string }[];
    };
    const labelOf = (text: string) => entities.find((entity) => entity.text === text)?.label;
    assert.equal(labelOf('Apple Inc.'), 'ORG');
    assert.equal(labelOf('California'), 'LOC');
  });
});
