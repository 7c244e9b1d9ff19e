/** @module Makes a local copy of an artifact, and goes on where a broken connection or a process that died has stopped. */

import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ServeError } from '../errors.ts';
import {
  type Artifact,
  type ArtifactFile,
  damaged,
  hexOf,
  type TransferOptions,
} from './artifact.ts';
import { fileError } from './file-error.ts';
import { chunksOf, hashArtifact } from './local-files.ts';
import { isAbandoned, ownName } from './owner.ts';

/** The content of a file in the store, from a position. */
export type Source = (file: ArtifactFile, start: number) => AsyncIterable<Uint8Array>;

/** How often in a row a download may break without having received anything. */
const MAX_FAILURES = 3;
const FIRST_PAUSE_MS = 50;

/** @throws {ServeError} What `source` throws, `INTERNAL` if it has other bytes, `STORE_UNAVAILABLE` if there is no space. */
export async function downloadFiles(
  artifact: Artifact,
  folder: string,
  source: Source,
  options: TransferOptions,
): Promise<void> {
  if (await hasDigest(folder, artifact.digest, options.signal)) return;
  try {
    const partial = await claim(folder, artifact.digest);
    try {
      await downloadAll(artifact, partial.own, source, options);
    } catch (error) {
      await release(partial, error);
      throw error;
    }
    await moveTo(folder, partial.own, artifact.digest, options.signal);
  } catch (error) {
    throw fileError(error, 'The local copy of the artifact cannot be written');
  }
}

async function downloadAll(
  { files, bytes }: Artifact,
  folder: string,
  source: Source,
  { onProgress, signal }: TransferOptions,
): Promise<void> {
  let finished = 0;
  for (const file of files) {
    const report = (done: number) => onProgress?.(finished + done, bytes);
    await download(file, join(folder, file.path), source, report, signal);
    finished += file.bytes;
  }
}

/** Gives a complete download its name. What was there before is replaced, unless it is what another process has made. */
async function moveTo(
  folder: string,
  partial: string,
  digest: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await rename(partial, folder);
  } catch {
    const isThere = await hasDigest(folder, digest, signal);
    if (!isThere) await rm(folder, { recursive: true, force: true });
    if (!isThere) await rename(partial, folder);
    await rm(partial, { recursive: true, force: true });
  }
}

async function hasDigest(folder: string, digest: string, signal: AbortSignal | undefined) {
  const there = await stat(folder).catch(() => undefined);
  if (!there?.isDirectory()) return false;
  try {
    return (await hashArtifact(folder, { signal })).digest === digest;
  } catch {
    signal?.throwIfAborted();
    return false;
  }
}

/** A folder for a download. It lies beside the one that it becomes, and is named after that, the artifact and its user. */
interface PartialFolder {
  /** While this process is at work. */
  readonly own: string;
  /** While nobody is. */
  readonly free: string;
}

const PARTIAL = /\.[0-9a-f]{16}\.(?:free|(\d+-[0-9a-f-]{36}-.*))$/;

/** Makes the folder for a download, or takes that of an operation that failed or of a process that died. */
async function claim(folder: string, digest: string): Promise<PartialFolder> {
  const parent = dirname(folder);
  const start = join(parent, `${basename(folder)}.${hexOf(digest).slice(0, 16)}.`);
  const partial = { own: start + ownName(), free: `${start}free` };
  await mkdir(parent, { recursive: true });
  for (const left of await abandoned(parent)) {
    // Only one of two processes that find it succeeds.
    if (left.startsWith(start) && (await renames(left, partial.own))) return partial;
  }
  await mkdir(partial.own);
  return partial;
}

/** Leaves what was downloaded to the next attempt, unless it is wrong or there is more of it already. */
async function release({ own, free }: PartialFolder, error: unknown): Promise<void> {
  const isWrong = error instanceof ServeError && error.code === 'INTERNAL';
  if (isWrong || !(await renames(own, free))) await rm(own, { recursive: true, force: true });
}

const renames = (from: string, to: string): Promise<boolean> =>
  rename(from, to).then(
    () => true,
    () => false,
  );

/** Removes downloads into folders beside each other that nobody is working on. */
export async function sweepDownloads(parent: string): Promise<void> {
  for (const left of await abandoned(parent)) await rm(left, { recursive: true, force: true });
}

async function abandoned(parent: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(parent).catch(() => [])) {
    const match = PARTIAL.exec(name);
    if (match === null) continue;
    const [, owner] = match;
    const stats = await stat(join(parent, name)).catch(() => undefined);
    if (stats === undefined) continue;
    if (owner === undefined || isAbandoned(owner, stats.mtimeMs)) found.push(join(parent, name));
  }
  return found;
}

/** Fills a file, starting with what it has already. */
async function download(
  file: ArtifactFile,
  place: string,
  source: Source,
  report: (done: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  await mkdir(dirname(place), { recursive: true });
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
  await using handle = await open(place, flags, 0o644);
  const there = await hashStart(handle, file.bytes, signal);
  const goneOn = there.length > 0;
  if ((await receive(handle, there, file, source, report, signal)) === file.sha256) return;
  // The start may be from a download whose last bytes never reached the disk.
  if (!goneOn) throw damaged();
  await handle.truncate(0);
  const anew = { hash: createHash('sha256'), length: 0 };
  if ((await receive(handle, anew, file, source, report, signal)) !== file.sha256) throw damaged();
}

interface Received {
  readonly hash: Hash;
  length: number;
}

async function hashStart(
  handle: FileHandle,
  most: number,
  signal: AbortSignal | undefined,
): Promise<Received> {
  const received = { hash: createHash('sha256'), length: 0 };
  for await (const chunk of chunksOf(handle, 0, signal)) {
    received.hash.update(chunk);
    received.length += chunk.byteLength;
  }
  if (received.length <= most) return received;
  await handle.truncate(0);
  return { hash: createHash('sha256'), length: 0 };
}

/** Appends the rest of a file. @returns The digest of the whole. */
async function receive(
  handle: FileHandle,
  received: Received,
  file: ArtifactFile,
  source: Source,
  report: (done: number) => void,
  signal: AbortSignal | undefined,
): Promise<string> {
  let failures = 0;
  while (received.length < file.bytes) {
    try {
      for await (const chunk of source(file, received.length)) {
        signal?.throwIfAborted();
        if (received.length + chunk.byteLength > file.bytes) throw damaged();
        await handle.write(chunk, 0, chunk.byteLength, received.length);
        received.hash.update(chunk);
        received.length += chunk.byteLength;
        failures = 0;
        report(received.length);
      }
      if (received.length < file.bytes) throw cutShort();
    } catch (error) {
      const temporary = error instanceof ServeError && error.code === 'STORE_UNAVAILABLE';
      if (!temporary || ++failures > MAX_FAILURES) throw error;
      await pause(FIRST_PAUSE_MS * 2 ** failures, undefined, signal && { signal });
    }
  }
  await handle.sync();
  return received.hash.digest('hex');
}

const cutShort = () =>
  new ServeError('STORE_UNAVAILABLE', 'The artifact store closed the connection; retry.');
