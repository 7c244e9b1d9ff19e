/** @module A lock file that makes one process the owner of a folder. PGlite itself would let two processes destroy it. */

import { readFileSync, readlinkSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServeError } from '../errors.ts';
import { startOfProcess } from '../host/index.ts';

/** How often the owner touches its lock file. */
const TOUCH_MS = 2000;
/** The lock of a process that cannot be looked at counts as left behind when it was not touched for so long. */
const STALE_MS = 10_000;
/** The time after which a process that found the same lock left behind has shown itself. */
const SETTLE_MS = 100;

export interface OwnerLock {
  /** Idempotent. */
  release(): void;
}

/**
 * Creates the lock file, or takes it over from a process that has ended.
 *
 * @throws {ServeError} `INVALID_CONFIG` if another process is the owner
 */
export async function lockOwner(file: string): Promise<OwnerLock> {
  const me = identity(process.pid) ?? String(process.pid);
  while (!create(file, me)) {
    const holder = read(file);
    if (holder !== undefined) await expectEnd(file, holder);
    if (holder === read(file)) rmSync(file, { force: true });
  }
  await sleep(SETTLE_MS);
  // Another process may have removed this file instead of the one that it had judged.
  if (read(file) !== me) return lockOwner(file);
  const touching = setInterval(() => touch(file), TOUCH_MS);
  touching.unref();
  return {
    release() {
      clearInterval(touching);
      if (read(file) === me) rmSync(file, { force: true });
    },
  };
}

/** Whether a process that runs owns the folder. Nothing is created or waited for. */
export function isOwned(file: string): boolean {
  const holder = read(file);
  if (holder === undefined) return false;
  const [pid = '', , place] = holder.split(' ');
  if (place === thisPlace()) return identity(Number(pid)) === holder;
  return Date.now() - (modified(file) ?? 0) < STALE_MS;
}

function create(file: string, content: string): boolean {
  try {
    writeFileSync(file, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Resolves if the holder of the lock has ended. @throws {ServeError} if it has not */
async function expectEnd(file: string, holder: string): Promise<void> {
  const [pid = '', , place] = holder.split(' ');
  if (place === thisPlace()) {
    if (identity(Number(pid)) === holder) throw inUse(` (${pid})`);
    return;
  }
  // It ran in another container, or before a restart of the machine, unless it touches the file now.
  const touched = modified(file);
  while (touched !== undefined && Date.now() - touched < STALE_MS) {
    await sleep(SETTLE_MS);
    const now = modified(file);
    if (now === undefined) return;
    if (now > touched) throw inUse('');
  }
}

const inUse = (number: string) =>
  new ServeError(
    'INVALID_CONFIG',
    `The embedded database in STATE_DIR is in use by another process${number}; stop it, write another STATE_DIR, or share a PostgreSQL by DATABASE_URL.`,
  );

/** Names a process uniquely, because its number alone is used again; undefined if there is none, or it has ended. */
function identity(pid: number): string | undefined {
  const started = startOfProcess(pid);
  return started === undefined ? undefined : `${pid} ${started} ${thisPlace()}`;
}

/** The start of the machine and the container, in which numbers of processes can be compared. */
function thisPlace(): string {
  const boot = read('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  return `${boot}:${readlinkSync('/proc/self/ns/pid')}`;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function modified(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

function touch(file: string): void {
  try {
    const now = new Date();
    utimesSync(file, now, now);
  } catch {
    // Whoever removed the file has taken the folder over by hand.
  }
}
