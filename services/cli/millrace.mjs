#!/usr/bin/env node
/**
 * The command `millrace`: sets up what is missing, then runs the subcommand on Bun. It runs before
 * `node_modules` exists and therefore imports `node:` modules only.
 *
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';

const root = path.resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../..');
const at = (...parts) => path.join(root, ...parts);
const [command, ...args] = process.argv.slice(2);

const setup = spawnSync(process.execPath, [at('services/cli/setup.mjs'), '--quiet'], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
if (setup.status !== 0) process.exit(setup.status ?? 1);

// A server takes its settings as they are; everything else is a command of its own.
const script =
  command === 'serve'
    ? [at('services/main.ts'), ...args]
    : [at('services/cli/main.ts'), ...(command === undefined ? [] : [command, ...args])];
const child = spawn(at('node_modules/bun/bin/bun.exe'), script, { stdio: 'inherit' });
// Ctrl-C reaches the child by itself; it decides when it is done.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) =>
  process.exit(signal === null ? code : 128 + os.constants.signals[signal]),
);
