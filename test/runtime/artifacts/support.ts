/** @module What tests of artifacts share. */

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { S3Settings } from '../../../runtime/config/index.ts';

/** The settings of S3 where there is none. */
export const NO_S3: S3Settings = {
  endpoint: undefined,
  region: 'us-east-1',
  accessKeyId: undefined,
  secretAccessKey: undefined,
  sessionToken: undefined,
};

const fixture = fileURLToPath(new URL('transfer.fixture.ts', import.meta.url));

/**
 * Stores or fetches an artifact in a process of its own, and kills that when it has transferred some bytes.
 *
 * @returns Whether it was killed; false if it ended before.
 * @param args `put`, the folder of the store and the source; or `fetch`, that folder, the copy and the digest.
 */
export async function killAt(bytes: number, args: readonly string[]): Promise<boolean> {
  const deno = process.versions.deno === undefined ? [] : ['run', '-A', '--no-check'];
  const child = spawn(process.execPath, [...deno, fixture, String(bytes), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, MILLRACE_TEST_MARK: process.env.MILLRACE_TEST_MARK },
  });
  child.stdout.once('data', () => child.kill('SIGKILL'));
  const signal = await new Promise((resolve) => void child.once('close', (_, by) => resolve(by)));
  return signal === 'SIGKILL';
}

/** The files below a folder, by their paths in it. */
export function filesIn(folder: string): string[] {
  const all = existsSync(folder) ? readdirSync(folder, { recursive: true }) : [];
  return all.map(String).filter((name) => statSync(path.join(folder, name)).isFile());
}
