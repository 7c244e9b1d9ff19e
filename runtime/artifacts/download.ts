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
import { chunksOf, hashArtifact } from './local-files.ts';
import { isAbandoned, ownName } from './owner.ts';

/** The content of a file in the store, from a position. */
export type Source = (file: ArtifactFile, start: number) => AsyncIterable<Uint8Array>;

/** How often in a row a download may break without having received anything. */
const MAX_FAILURES = 5;
const FIRST_PAUSE_MS = 50;

/** @throws {ServeError} What `source` throws, `INTERNAL` if it has other bytes, `STORE_UNAVAILABLE` if there is no space. */
export async function downloadFiles(
  artifact: Artifact,
  folder: string,
  source: Source,
  options: TransferOptions,
): Promise<void> {
  if (await hasDigest(folder, artifact.digest, options.signal)) return;
  const partial = await claim(folder, artifact.digest);
  let finished = 0;
  for (const file of artifact.files) {
    const report = (done: number) => options.onProgress?.(finished + done, artifact.bytes);
    await download(file, join(partial, file.path), source, report, options.signal);
    finished += file.bytes;
  }
  // What is there has another digest, so nobody uses it any more.
  await rm(folder, { recursive: true, force: true });
  await rename(partial, folder).catch(async (error) => {
    await rm(partial, { recursive: true, force: true });
    // Another process has made the same folder meanwhile.
    if (!(await hasDigest(folder, artifact.digest, options.signal))) throw error;
  });
}

async function hasDigest(folder: string, digest: string, signal: AbortSignal | undefined) {
  const there = await stat(folder).catch(() => undefined);
  if (there === undefined) return false;
  try {
    return (await hashArtifact(folder, { signal })).digest === digest;
  } catch {
    signal?.throwIfAborted();
    return false;
  }
}

/** Partial downloads lie beside their folder, and are named after it, the artifact and the process. */
const PARTIAL = /\.[0-9a-f]{16}\.(\d+-[0-9a-f-]{36}-.*)$/;

/** A folder for a download, which is that of a process that died if there is one. */
async function claim(folder: string, digest: string): Promise<string> {
  const parent = dirname(folder);
  const start = `${basename(folder)}.${hexOf(digest).slice(0, 16)}.`;
  const own = join(parent, start + ownName());
  await mkdir(parent, { recursive: true });
  for (const left of await abandoned(parent)) {
    if (!basename(left).startsWith(start)) continue;
    // Only one of two processes that find it succeeds.
    const claimed = await rename(left, own).then(
      () => true,
      () => false,
    );
    if (claimed) return own;
  }
  await mkdir(own);
  return own;
}

/** Removes what processes that died have downloaded into folders beside each other, and nobody has gone on with. */
export async function sweepDownloads(parent: string): Promise<void> {
  for (const left of await abandoned(parent)) await rm(left, { recursive: true, force: true });
}

async function abandoned(parent: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(parent).catch(() => [])) {
    const owner = PARTIAL.exec(name)?.[1];
    if (owner === undefined) continue;
    const stats = await stat(join(parent, name)).catch(() => undefined);
    if (stats !== undefined && isAbandoned(owner, stats.mtimeMs)) found.push(join(parent, name));
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
