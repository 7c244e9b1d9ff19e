/** @module Runs the commands of a section of a document that is a guide, in their order, as a reader would. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ServiceChild } from '../support/child.ts';
import { temporaryFiles } from '../support/files.ts';
import { assertShown, stepsOf } from './documents.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const START = 'npx millrace serve ';
/** What the commands use of this repository. */
const USED = ['models', 'test'];

export interface Guide {
  /** The document, relative to the top folder. */
  readonly document: string;
  readonly section: string;
  /** The port of the commands. The server gets a free one instead. */
  readonly port: number;
  /** How far a number may be from the one that is shown. */
  readonly tolerance: number;
  /** Checks the output of a command that streams. */
  readonly checkStream?: (output: string) => void;
}

/** A guide whose commands have been run. */
export interface OpenGuide {
  readonly commands: readonly string[];
  run(command: string): Promise<string>;
}

/** The text of a section. */
export function sectionOf(document: string, title: string): string {
  const text = readFileSync(path.join(top, document), 'utf8');
  return text.split(`\n## ${title}\n`)[1]!.split('\n## ')[0]!;
}

/** Declares a test for each command. @param more Declares further tests, which run after the commands. */
export function testGuide(guide: Guide, more: (open: OpenGuide) => void = () => {}): void {
  const { document, section, tolerance, checkStream } = guide;
  describe(`"${section}" in ${document}`, () => {
    const steps = stepsOf(sectionOf(document, section));
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
      const args = command
        .slice(START.length)
        .replace(`--port ${guide.port}`, '--port 0')
        .split(' ');
      const env = { MODEL_CONTROL_MODE: 'poll', REPOSITORY_POLL_SECS: '1' };
      child = new ServiceChild('services/main.ts', env, args, folder.path);
      port = await child.port();
    }

    /** Runs a command in a shell. */
    function run(command: string): Promise<string> {
      const here = command.replaceAll(`localhost:${guide.port}`, `127.0.0.1:${port}`);
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
        if (shown !== undefined) assertShown(JSON.parse(output), JSON.parse(shown), tolerance);
        else if (command.startsWith('curl -sN ')) checkStream!(output);
        else if (command.startsWith('curl ')) assert.ok(!('error' in JSON.parse(output)), output);
      });
    }

    more({ commands: steps.map(({ command }) => command), run });
  });
}
