/**
 * The local copies of artifacts, from which registered versions are loaded: a folder `<hex>` for each digest, and beside it
 * `<hex>.json`, the digests, sizes, times and inodes that its files had when they were verified. A copy is hashed again
 * only if one of these has changed.
 *
 * @module
 */

import { lstat, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  type ArtifactFile,
  type ArtifactStore,
  artifactOf,
  type LocalArtifact,
  sweepDownloads,
} from '../artifacts/index.ts';

/** Processes on one machine share the copies, and one may be about to load what another does not need any more. */
const MIN_UNUSED_MS = 600_000;

const COPY = /^[0-9a-f]{64}$/;

type FileStats = readonly [
  path: string,
  bytes: number,
  mtimeMs: number,
  ctimeMs: number,
  inode: number,
];

interface Stamp {
  readonly files: readonly ArtifactFile[];
  readonly stats: readonly FileStats[];
}

export class LocalCopies {
  readonly #folder: string;
  readonly #artifacts: Pick<ArtifactStore, 'fetch'>;
  readonly #now: () => number;
  readonly #present = new Map<string, Promise<LocalArtifact>>();

  /**
   * @param folder Absolute path; made when the first copy is.
   * @param now The time of the file system, in milliseconds.
   */
  constructor(folder: string, artifacts: Pick<ArtifactStore, 'fetch'>, now = Date.now) {
    this.#folder = folder;
    this.#artifacts = artifacts;
    this.#now = now;
  }

  /**
   * The local files of an artifact, which are verified once per process.
   *
   * @param signal Ends the download.
   * @throws {ServeError} as `ArtifactStore.fetch` does; the next call tries again
   */
  get(digest: string, signal?: AbortSignal): Promise<LocalArtifact> {
    const known = this.#present.get(digest);
    if (known !== undefined) return known;
    const copy = this.#make(digest, signal);
    this.#present.set(digest, copy);
    copy.catch(() => this.#present.delete(digest));
    return copy;
  }

  async #make(digest: string, signal: AbortSignal | undefined): Promise<LocalArtifact> {
    const folder = join(this.#folder, digest.replace('sha256:', ''));
    const stampFile = `${folder}.json`;
    const known = await readStamp(stampFile, digest);
    const found = await statsOf(folder);
    if (known !== undefined && found !== undefined && isDeepStrictEqual(known.stats, found)) {
      return { ...artifactOf(known.files), source: folder, isFolder: true };
    }
    const artifact = await this.#artifacts.fetch(digest, folder, { signal });
    const stats = await statsOf(folder);
    if (stats === undefined) return artifact;
    const stamp: Stamp = { files: artifact.files, stats };
    const partial = `${stampFile}.${process.pid}`;
    await writeFile(partial, JSON.stringify(stamp));
    await rename(partial, stampFile);
    return artifact;
  }

  /**
   * Removes the copies that are not used, if they were made long ago, and what broken downloads have left.
   *
   * @param used The digests whose copies stay.
   */
  async sweep(used: ReadonlySet<string>): Promise<void> {
    await sweepDownloads(this.#folder);
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const digest = `sha256:${name}`;
      if (!COPY.test(name) || used.has(digest)) continue;
      const folder = join(this.#folder, name);
      // Another process may just have made the folder, and not its stamp yet.
      const made = await stat(`${folder}.json`).catch(() => stat(folder));
      if (this.#now() - made.ctimeMs < MIN_UNUSED_MS) continue;
      this.#present.delete(digest);
      // In this order a crash leaves nothing that is trusted.
      await rm(`${folder}.json`, { force: true });
      await rm(folder, { recursive: true, force: true });
    }
  }
}

/** The stamp of a copy; undefined if there is none, or it belongs to another artifact. */
async function readStamp(file: string, digest: string): Promise<Stamp | undefined> {
  try {
    const stamp = JSON.parse(await readFile(file, 'utf8')) as Stamp;
    return artifactOf(stamp.files).digest === digest ? stamp : undefined;
  } catch {
    return undefined;
  }
}

/** What identifies the files of a folder; undefined if it cannot be read, or holds anything but files and folders. */
function statsOf(folder: string): Promise<readonly FileStats[] | undefined> {
  return statsBelow(folder, '').catch(() => undefined);
}

async function statsBelow(folder: string, path: string): Promise<FileStats[]> {
  const stats: FileStats[] = [];
  for (const name of (await readdir(join(folder, path))).sort()) {
    const inside = join(path, name);
    const found = await lstat(join(folder, inside));
    if (found.isDirectory()) stats.push(...(await statsBelow(folder, inside)));
    else if (!found.isFile() || found.nlink > 1) throw new Error('A link, or no file');
    else stats.push([inside, found.size, found.mtimeMs, found.ctimeMs, found.ino]);
  }
  return stats;
}
