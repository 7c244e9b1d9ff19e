/** @module Runs the commands of the walk-through in models/README.md, in their order. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { blocks, commandsOf } from '../documents.ts';
import { type CommandLine, commandLine } from './support.ts';

const top = fileURLToPath(new URL('../../..', import.meta.url));
const readme = readFileSync(path.join(top, 'models/README.md'), 'utf8');
const [, section = ''] = readme.split('## The life of a version');
const commands = blocks(section.split('\n## ')[0]!, 'sh').flatMap(commandsOf);

describe('the walk-through of models/README.md', () => {
  let cli: CommandLine;
  before(async () => {
    cli = await commandLine();
  });
  after(() => cli[Symbol.asyncDispose]());

  /** Runs a command in a shell as a reader would. */
  function run(command: string): Promise<{ code: number | null; output: string }> {
    const bun = path.join(top, 'node_modules/bun/bin/bun.exe');
    const here = command
      .replaceAll('npx millrace', `'${bun}' services/cli/main.ts`)
      .replaceAll('http://localhost:8080', cli.url)
      .replaceAll('localhost:8080', cli.url);
    const env = { PATH: process.env.PATH, MILLRACE_URL: cli.url };
    const child = spawn('sh', ['-c', here], { cwd: top, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
  }

  const stable = async () => (await cli.json('models', 'show', '--name', 'iris')).labels.stable;

  /** What holds after the command that contains the text. */
  const effects: Readonly<Record<string, (output: string) => void | Promise<void>>> = {
    'models register': (output) => assert.match(output, /v3\.0 of iris is ready/),
    'models list': (output) => assert.match(output, /^v3\.0\tready\t/m),
    'models promote': async () => assert.equal(await stable(), 'v1.0'),
    'routes set': async () => {
      const { weights, sticky } = await cli.json('routes', 'get', '--name', 'iris');
      assert.deepEqual(weights, { 'v1.0': 0.8, 'v3.0': 0.2 });
      assert.deepEqual(sticky, { header: 'X-User-Id' });
    },
    '/predict': (output) =>
      assert.match(output, /"prediction":"setosa".*"model_version":"v[13]\.0"/),
    experiments: (output) => assert.match(output, /^arm\tversion\trequests\t/m),
    'shadow --name iris --version': (output) => assert.match(output, /"fraction": 1/),
    'shadow --name iris --off': (output) => assert.doesNotMatch(output, /shadow/),
    'canary --name': (output) => assert.match(output, /"state": "running"/),
    'canary promote': async (output) => {
      assert.match(output, /"state": "promoted"/);
      assert.equal(await stable(), 'v3.0');
    },
    'models rollback': async () => assert.equal(await stable(), 'v1.0'),
    '/admin/events': (output) => assert.match(output, /"what":"rollback"/),
  };

  test('shows every step that is checked here', () => {
    for (const step of Object.keys(effects)) {
      assert.ok(
        commands.some((command) => command.includes(step)),
        step,
      );
    }
  });

  for (const command of commands) {
    test(command.replaceAll(/\s+/g, ' '), async () => {
      const { code, output } = await run(command);
      assert.equal(code, 0, output);
      for (const [step, check] of Object.entries(effects)) {
        if (command.includes(step)) await check(output);
      }
    });
  }
});
