/** @module The commands of the README, as a stranger pastes them, and the answers it shows. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ServiceChild } from '../support/child.ts';

type Answer = Readonly<Record<string, unknown>>;

const top = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(path.join(top, 'README.md'), 'utf8');

/** Blocks of code in one language. */
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(
    ([, text]) => text!,
  );

/** A command and the lines it goes on in. */
const commands = blocks('sh').flatMap((block) => block.match(/^curl (?:.*\\\n)*.*$/gm) ?? []);

const skip =
  spawnSync('curl', ['--version']).status === 0 ? false : 'curl is not installed (package curl)';

describe('the README', { skip }, () => {
  let child: ServiceChild;
  let port: number;
  before(async () => {
    child = new ServiceChild('services/main.ts', { PORT: '0' });
    port = await child.port();
  });
  after(() => child[Symbol.asyncDispose]());

  const run = (command: string): Answer => {
    const here = command.replaceAll('localhost:8001', `127.0.0.1:${port}`);
    const { stdout, stderr } = spawnSync('sh', ['-c', here], { encoding: 'utf8' });
    assert.equal(stderr, '');
    return JSON.parse(stdout) as Answer;
  };

  test('has commands to try', () => assert.ok(commands.length >= 3));

  for (const command of commands) {
    test(`answers ${command.replaceAll(/\s+/g, ' ').slice(-70)}`, () => {
      const answer = run(command);
      assert.ok(!('error' in answer), JSON.stringify(answer));
      assert.ok('prediction' in answer || 'predictions' in answer);
    });
  }

  test('shows what the first of them answers', () => {
    const shown = JSON.parse(blocks('json')[0]!) as Answer;
    const given = run(commands[0]!);
    assert.deepEqual(Object.keys(given), Object.keys(shown));
    // These two are new each time.
    const lasting = { inference_time_ms: 0, request_id: '' };
    assert.deepEqual({ ...given, ...lasting }, { ...shown, ...lasting });
  });
});
