/** @module Runs the commands of the set-up and shows the user their progress. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** The folder for downloads and records of the set-up, which is not under version control. */
export const state = path.join(root, '.millrace');

/** A problem that the user can fix; its message is the one sentence that they see. */
export class SetupError extends Error {}

export const say = (text) => process.stderr.write(`setup: ${text}\n`);
export const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
export const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');

/** The progress that a build reports, such as `, 45 %`. */
function progress(log) {
  const percent = read(log)
    .match(/^\[ *\d+%\]/gm)
    ?.at(-1);
  return percent ? `, ${Number.parseInt(percent.slice(1), 10)} %` : '';
}

/**
 * Runs a command with its output in a log, and prints every 10 s that it is still running. The command and
 * its child processes end with this process.
 *
 * @throws {SetupError} If the command fails, after the end of its output was shown.
 */
export async function execute(label, command, args, cwd = root) {
  const log = path.join(state, `${path.basename(command)}.log`);
  const started = performance.now();
  const out = fs.openSync(log, 'w');
  const heartbeat = setInterval(
    () => say(`${label}: still running (${seconds(started)}${progress(log)})`),
    10_000,
  );
  // A process group of its own, because npm and CMake start processes that do not end with them.
  const child = spawn(command, args, { cwd, stdio: ['ignore', out, out], detached: true });
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGTERM');
    } catch {
      // It never started, or has ended.
    }
  };
  process.on('exit', end);
  try {
    const status = await new Promise((resolve, reject) => {
      child.on('error', reject).on('close', resolve);
    });
    if (status === 0) return;
    process.stderr.write(`${read(log).trimEnd().split('\n').slice(-40).join('\n')}\n`);
    throw new SetupError(`${label} failed; the whole output is in ${path.relative(root, log)}`);
  } finally {
    process.off('exit', end);
    clearInterval(heartbeat);
    fs.closeSync(out);
  }
}
