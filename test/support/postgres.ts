/** @module A private PostgreSQL for tests. */

import { execFileSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import postgres from 'postgres';
import { findProgram, freePort, removeFolder, ServerProcess, serverFolder } from './servers.ts';

/** Why tests with PostgreSQL are skipped; false where it is installed. The value for the option `skip` of a test. */
export const noPostgres: string | false =
  findProgram('initdb') === undefined && 'needs PostgreSQL, which the set-up unpacks';

export interface TestPostgres extends AsyncDisposable {
  /** `postgres://millrace@127.0.0.1:…/postgres` */
  readonly url: string;
  readonly port: number;
  /** Creates an empty database, and returns its URL. */
  createDatabase(): Promise<string>;
  /** Runs statements in the database of `url`, and returns the rows of the last one. */
  run(script: string): Promise<readonly Record<string, unknown>[]>;
  /** Ends all connections of all databases except the one that asks. */
  terminateBackends(): Promise<void>;
  /** Ends the server without warning, as if the power failed. */
  kill(): Promise<void>;
  /** Starts it again, on the same port and with the same files. */
  start(): Promise<void>;
  /** Stops all its processes, so that connections stay open and nothing answers, and lets them go on. */
  pause(): void;
  resume(): void;
}

/** PostgreSQL refuses to run as root, so root runs it as a user without rights. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;

/**
 * Starts a PostgreSQL on a free port, in 0.7 s. The caller declares it with `await using`. One for a file is enough: each
 * test gets a database of its own.
 */
export async function startPostgres(): Promise<TestPostgres> {
  const folder = serverFolder();
  const data = path.join(folder, 'data');
  initialize(folder, data);
  const port = await freePort();
  const url = `postgres://millrace@127.0.0.1:${port}/postgres`;
  let server: ServerProcess | undefined;
  let databases = 0;
  const start = async () => {
    server = new ServerProcess(
      program('postgres'),
      ['-D', data, '-p', `${port}`, '-k', '', '-c', 'listen_addresses=127.0.0.1'],
      user,
    );
    await server.answers(async () => (await run('select 1')).length === 1);
  };
  const run = async (script: string) => {
    const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
    try {
      return await sql.unsafe<Record<string, unknown>[]>(script);
    } finally {
      await sql.end({ timeout: 1 });
    }
  };
  await start();
  return {
    url,
    port,
    run,
    start,
    async createDatabase() {
      databases += 1;
      await run(`create database test_${databases}`);
      return url.replace(/postgres$/, `test_${databases}`);
    },
    async terminateBackends() {
      await run(
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'",
      );
    },
    kill: async () => server?.end('SIGKILL'),
    pause: () => server?.kill('SIGSTOP'),
    resume: () => server?.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      server?.kill('SIGCONT');
      await server?.end('SIGKILL');
      removeFolder(folder);
    },
  };
}

function program(name: string) {
  const found = findProgram(name);
  if (found === undefined) throw new Error(`There is no program ${name} of PostgreSQL.`);
  return found;
}

function initialize(folder: string, data: string): void {
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const { path: file, env } = program('initdb');
  const args = ['-D', data, '-U', 'millrace', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8'];
  execFileSync(file, [...args, '--no-sync', '--no-instructions', '--wal-segsize=1'], {
    env: { PATH: process.env.PATH, LC_ALL: 'C', ...env },
    cwd: folder,
    stdio: 'pipe',
    ...user,
  });
}
