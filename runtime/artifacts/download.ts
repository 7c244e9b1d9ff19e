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
import { eachAtOnce } from './each-at-once.ts';
import { fileError } from './file-error.ts';
import { chunksOf, hashArtifact } from './local-files.ts';
import { isAbandoned, ownName } from './owner.ts';

/** The content of a file in the store, from a position. */
export type Source = (file: ArtifactFile, start: number) => AsyncIterable<Uint8Array>;

/** How often in a row a download may break without having received anything. */
const MAX_FAILURES = 3;
const FIRST_PAUSE_MS = 50;
/** Models may have a file for each tensor, and every request to a store takes a while. */
export const FILES_AT_ONCE = 4;

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
      const download = new Download(source, artifact.bytes, options);
      await eachAtOnce(artifact.files, FILES_AT_ONCE, (file) =>
        download.fill(join(partial.own, file.path), file),
      );
    } catch (error) {
      await release(partial, error);
      throw error;
    }
    await moveTo(folder, partial.own, artifact.digest, options.signal);
  } catch (error) {
    throw fileError(error, 'The local copy of the artifact cannot be written');
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

const PARTIAL = /\.[0-9a-f]{16}\.(?:free|(\d+\.\d+-[0-9a-f-]{36}-.*))$/;

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

interface Received {
  readonly hash: Hash;
  length: number;
}

const nothing = (): Received => ({ hash: createHash('sha256'), length: 0 });

/** The download of the files of one artifact. */
class Download {
  readonly #source: Source;
  readonly #total: number;
  readonly #options: TransferOptions;
  #done = 0;

  constructor(source: Source, total: number, options: TransferOptions) {
    this.#source = source;
    this.#total = total;
    this.#options = options;
  }

  /** Fills a file, starting with what it has already. */
  async fill(place: string, file: ArtifactFile): Promise<void> {
    await mkdir(dirname(place), { recursive: true });
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    await using handle = await open(place, flags, 0o644);
    const there = await this.#readStart(handle);
    const had = there.length;
    this.#done += had;
    if ((await this.#receive(handle, there, file)) === file.sha256) return;
    // The start may be from a download whose last bytes never reached the disk.
    if (had === 0) throw damaged();
    await handle.truncate(0);
    this.#done -= there.length;
    if ((await this.#receive(handle, nothing(), file)) !== file.sha256) throw damaged();
  }

  async #readStart(handle: FileHandle): Promise<Received> {
    const received = nothing();
    for await (const chunk of chunksOf(handle, 0, this.#options.signal)) {
      received.hash.update(chunk);
      received.length += chunk.byteLength;
    }
    return received;
  }

  /** Appends the rest of a file. @returns The digest of the whole. */
  async #receive(handle: FileHandle, received: Received, file: ArtifactFile): Promise<string> {
    const { signal } = this.#options;
    for (let failures = 0; received.length < file.bytes; ) {
      try {
        for await (const chunk of this.#source(file, received.length)) {
          signal?.throwIfAborted();
          if (received.length + chunk.byteLength > file.bytes) throw damaged();
          await this.#append(handle, received, chunk);
          failures = 0;
        }
        if (received.length < file.bytes) throw cutShort();
      } catch (error) {
        const isTemporary = error instanceof ServeError && error.code === 'STORE_UNAVAILABLE';
        failures += 1;
        if (!isTemporary || failures > MAX_FAILURES) throw error;
        await pause(FIRST_PAUSE_MS * 2 ** failures, undefined, signal && { signal });
      }
    }
    await handle.sync();
    return received.hash.digest('hex');
  }

  async #append(handle: FileHandle, received: Received, chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength; ) {
      const rest = chunk.byteLength - at;
      at += (await handle.write(chunk, at, rest, received.length + at)).bytesWritten;
    }
    received.hash.update(chunk);
    received.length += chunk.byteLength;
    this.#done += chunk.byteLength;
    this.#options.onProgress?.(this.#done, this.#total);
  }
}

const cutShort = () =>
  new ServeError('STORE_UNAVAILABLE', 'The artifact store closed the connection; retry.');
