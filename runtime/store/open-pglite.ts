/** @module Opens PGlite with settings that suit an embedded database. */

import { spawnSync } from 'node:child_process';
import { fsyncSync } from 'node:fs';
import type { PGlite } from '@electric-sql/pglite';

const BIGINT = 20;
const NUMERIC = 1700;

/**
 * What the defaults of PostgreSQL for a server cost an embedded database: with 4 MiB of shared buffers instead of 128, and
 * segments of 1 MiB, an open database takes 110 MiB of memory instead of 240, and a new one 30 MiB of disk.
 */
const SMALL = ['shared_buffers=4MB', 'wal_buffers=256kB', 'max_connections=5'];
const NEW = ['--wal-segsize=1', '--no-sync', '--no-instructions', '-c', 'shared_buffers=4MB'];
/** PGlite's own parameter for not waiting until a commit is on the disk. */
const NO_FSYNC = '-F';
/** The one of the methods that reaches the file system in WebAssembly. */
const FSYNC = ['fsync=on', 'wal_sync_method=fsync'];

/** The last words of a PostgreSQL, and of a program in WebAssembly. */
const PANIC = /\b(?:PANIC|FATAL): |^Aborted\(/;

export interface PgliteOptions {
  /** Folder of the database, created if it does not exist; in memory by default. */
  readonly folder?: string;
  /** The files of a new database, which are faster to copy than to make. */
  readonly image?: Blob;
}

/** A commit in a folder is on the disk when it returns. The library is loaded here, because that takes 60 ms. */
export async function openPglite({ folder, image }: PgliteOptions): Promise<PGlite> {
  const { PGlite } = await import('@electric-sql/pglite');
  const durable = folder !== undefined;
  const settings = [...SMALL, ...(durable ? FSYNC : [])].flatMap((setting) => ['-c', setting]);
  const defaults = PGlite.defaultStartParams.filter((each) => !durable || each !== NO_FSYNC);
  let panicked = false;
  const database = await PGlite.create({
    // The result says that the line is not printed.
    onStderr(line) {
      panicked ||= PANIC.test(line);
      return false;
    },
    ...(folder === undefined ? {} : { dataDir: folder }),
    ...(image === undefined ? {} : { loadDataDir: image }),
    startParams: [...defaults, ...settings],
    initDbStartParams: NEW,
    parsers: { [BIGINT]: Number, [NUMERIC]: Number },
  });
  if (durable) syncFiles(database);
  refuseAfter(database, () => panicked);
  return database;
}

/** PGlite would ask a PostgreSQL that has ended for ever. */
function refuseAfter(database: PGlite, ended: () => boolean): void {
  const execute = database.execProtocolRawSync.bind(database);
  database.execProtocolRawSync = (message) => {
    if (ended()) throw new Error('The database has failed');
    return execute(message);
  };
}

/** Emscripten's file system over Node's leaves out this operation; without it, a commit would survive a crash but no power cut. */
function syncFiles(database: PGlite): void {
  const { stream_ops: operations } = database.Module.NODEFS as unknown as {
    stream_ops: { fsync?: (stream: { readonly nfd?: number }) => number };
  };
  operations.fsync = ({ nfd }) => {
    // Folders have no descriptor.
    if (nfd !== undefined) fsyncSync(nfd);
    return 0;
  };
}

/**
 * Writes a new folder with all that is in it to the disk. Node has no call for it, and a thousand calls for single files
 * take seconds. Without the program, the kernel does it within half a minute.
 */
export function syncFolder(folder: string): void {
  spawnSync('sync', ['-f', folder], { stdio: 'ignore' });
}
