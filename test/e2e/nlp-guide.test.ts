/** @module Runs the commands of the sections of services/nlp/README.md that are guides, each in their order. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ServiceChild } from '../support/child.ts';
import { temporaryFiles } from '../support/files.ts';
import { until } from '../support/until.ts';
import { assertShown, blocks, stepsOf, TEXT_TOLERANCE } from './documents.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const guide = readFileSync(path.join(top, 'services/nlp/README.md'), 'utf8');
const SECTIONS = ['Serve a model from Hugging Face', 'Generate text'];
const START = 'npx millrace serve ';
/** What the commands use of this repository. */
const USED = ['models', 'test'];

const sectionOf = (title: string): string => guide.split(`\n## ${title}\n`)[1]!.split('\n## ')[0]!;

/** The events that a section shows. */
const shownEvents = (section: string): string =>
  blocks(section, 'text').find((block) => block.startsWith('data: '))!;

/** Checks that the events have the same text and the same end. How many tokens an event has depends on the time. */
function assertStream(output: string, shown: string): void {
  const read = (text: string) => {
    const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!));
    return [events.map(({ text_output }) => text_output).join(''), events.at(-1)];
  };
  assert.deepEqual(read(output), read(shown));
}

for (const title of SECTIONS) {
  describe(`"${title}" in the guide of the NLP service`, () => {
    const section = sectionOf(title);
    const steps = stepsOf(section);
    const folder = temporaryFiles({});
    let child: ServiceChild | undefined;
    let port = 0;
    before(() => {
      for (const name of USED) symlinkSync(path.join(top, name), path.join(folder.path, name));
    });
    after(async () => {
      await child?.[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    });

    /** Starts the server as the command says, on a free port, and follows changes of its folder. */
    async function start(command: string): Promise<void> {
      const args = command.slice(START.length).replace('--port 8002', '--port 0').split(' ');
      const env = { MODEL_CONTROL_MODE: 'poll', REPOSITORY_POLL_SECS: '1' };
      child = new ServiceChild('services/main.ts', env, args, folder.path);
      port = await child.port();
    }

    /** Runs a command in a shell as a reader would. */
    function run(command: string): Promise<string> {
      const here = command.replaceAll('localhost:8002', `127.0.0.1:${port}`);
      const shell = spawn('sh', ['-c', here], {
        cwd: folder.path,
        env: { PATH: process.env.PATH },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [shell.stdout, shell.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
      }
      return new Promise((resolve, reject) =>
        shell.on('close', (code) => (code === 0 ? resolve(output) : reject(new Error(output)))),
      );
    }

    test('starts the service', () =>
      assert.equal(steps.filter(({ command }) => command.startsWith(START)).length, 1));

    for (const { command, shown } of steps) {
      test(command.replaceAll(/\s+/g, ' '), async () => {
        if (command.startsWith(START)) return start(command);
        const output = await run(command);
        if (shown !== undefined) assertShown(JSON.parse(output), JSON.parse(shown), TEXT_TOLERANCE);
        else if (command.startsWith('curl -sN ')) assertStream(output, shownEvents(section));
        else if (command.startsWith('curl ')) assert.ok(!('error' in JSON.parse(output)), output);
      });
    }

    if (title !== SECTIONS[0]) return;
    test('a model.json beside the folder takes effect', async () => {
      const embed = steps.find(({ command }) => command.includes('/embed'))!.command;
      const isHit = async () =>
        /^x-cache: hit/im.test(await run(embed.replace('curl -s', 'curl -si')));
      await until(isHit, 'responses are cached');
    });
  });
}
