/** @module A store that speaks the S3 API: the server of moto, which the set-up installs with the Python clients. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { S3Settings } from '../../runtime/config/index.ts';

const python = fileURLToPath(new URL('../../.millrace/python/bin/python', import.meta.url));

/** Why the tests of S3 are skipped; false if they can run. */
export const noS3: string | false = existsSync(path.join(path.dirname(python), 'moto_server'))
  ? false
  : 'the set-up has no Python clients';

export interface TestS3 {
  readonly settings: S3Settings;
  /** Resolves when the server has ended. */
  stop(): Promise<void>;
}

/** Starts a server whose content is in its memory. The caller stops it. */
export async function startS3(): Promise<TestS3> {
  const child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', '0'], {
    env: { PATH: process.env.PATH, MILLRACE_TEST_MARK: process.env.MILLRACE_TEST_MARK },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
  return {
    settings: {
      endpoint: await addressOf(child),
      region: 'us-east-1',
      accessKeyId: 'test',
      secretAccessKey: 'test',
      sessionToken: undefined,
    },
    async stop() {
      child.kill();
      await ended;
    },
  };
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const address = /Running on (http:\/\/\S+)/.exec(text)?.[1];
      if (address !== undefined) resolve(address);
    });
    child.once('close', () => reject(new Error(`The S3 server ended: ${text}`)));
  });
}
