/** @module Runs the command line against a gateway of its own, whose stores are in a temporary folder. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { ServiceChild } from '../../support/child.ts';
import { stateFolder } from '../../support/store.ts';

export const top = fileURLToPath(new URL('../../..', import.meta.url));

export const model = (version: string) => path.join(top, 'models/iris', version, 'model.onnx');
export const modelJson = path.join(top, 'models/iris/model.json');

export interface Output {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandLine extends AsyncDisposable {
  readonly url: string;
  /** A folder for files of the test, which also has the stores of the server. */
  readonly folder: string;
  /** Runs `millrace` with these arguments. */
  run(...args: readonly string[]): Promise<Output>;
  /** The same; the command must succeed. Returns what it printed. */
  text(...args: readonly string[]): Promise<string>;
  /** The same with `--json`; returns the value that it printed. */
  // biome-ignore lint/suspicious/noExplicitAny: each command prints another value
  json(...args: readonly string[]): Promise<any>;
}

/** Runs `millrace` in a process of its own. */
export function millrace(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = top,
): Promise<Output> {
  const bun = path.join(top, 'node_modules/bun/bin/bun.exe');
  const child = spawn(bun, [path.join(top, 'services/cli/main.ts'), ...args], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ code, ...output }));
  });
}

/** Starts a gateway with the demonstration models. The caller declares it with `await using`, or disposes of it. */
export async function commandLine(
  env: Readonly<Record<string, string>> = {},
): Promise<CommandLine> {
  const state = await stateFolder();
  const folder = state.path;
  const settings = {
    ...{ STATE_DIR: folder, CACHE_DIR: path.join(folder, 'cache') },
    ...{ SERVICE: 'gateway', PORT: '0', ...env },
  };
  const child = new ServiceChild('services/main.ts', settings);
  const dispose = async () => {
    await child[Symbol.asyncDispose]();
    state[Symbol.dispose]();
  };
  const port = await child.port().catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  const url = `http://127.0.0.1:${port}`;
  const run = (...args: readonly string[]) =>
    millrace(args, { MILLRACE_URL: url, STATE_DIR: folder });
  const text = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await run(...args);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}${stdout}`);
    return stdout;
  };
  return {
    url,
    folder,
    run,
    text,
    json: async (...args) => JSON.parse(await text(...args, '--json')),
    [Symbol.asyncDispose]: dispose,
  };
}
