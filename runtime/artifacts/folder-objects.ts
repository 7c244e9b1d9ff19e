/** @module Artifacts in a folder, of this machine or of a volume that several machines share. */

import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { missing } from './artifact.ts';
import { fileError } from './file-error.ts';
import { chunksOf } from './local-files.ts';
import { type Objects, type StoredObject, UPLOADS } from './objects.ts';
import { isAbandoned, ownName } from './owner.ts';

const WRITING = '.writing';

export class FolderObjects implements Objects {
  readonly #folder: string;

  /** @param folder Is made when something is written. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async write(key: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const place = this.#place(key);
    const temporary = this.#place(`${UPLOADS}${ownName()}${WRITING}`);
    await unavailable(async () => {
      await mkdir(dirname(temporary), { recursive: true });
      const made = await mkdir(dirname(place), { recursive: true });
      try {
        await writeWhole(temporary, content);
        await rename(temporary, place);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      await syncFolders(dirname(place), made && dirname(made));
    });
  }

  async *read(key: string, start: number, limit = Number.MAX_SAFE_INTEGER) {
    await using file = await unavailable(() => open(this.#place(key)));
    let left = limit;
    for await (const chunk of chunksOf(file, start)) {
      const wanted = chunk.subarray(0, left);
      left -= wanted.byteLength;
      yield wanted;
      if (left === 0) return;
    }
  }

  async size(key: string): Promise<number | undefined> {
    const found = await orUndefined(stat(this.#place(key)));
    return found?.size;
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    const names = (await orUndefined(readdir(this.#place(prefix)))) ?? [];
    const found = names.map(async (name) => {
      const stats = await orUndefined(stat(this.#place(prefix + name)));
      return stats && { key: prefix + name, bytes: stats.size, modified: stats.mtimeMs };
    });
    return (await Promise.all(found)).filter((each) => each !== undefined);
  }

  async remove(key: string): Promise<void> {
    await unavailable(() => rm(this.#place(key), { force: true }));
  }

  async sweep(): Promise<void> {
    for (const { key, modified } of await this.list(UPLOADS)) {
      if (!key.endsWith(WRITING)) continue;
      const owner = key.slice(UPLOADS.length, -WRITING.length);
      if (isAbandoned(owner, modified)) await this.remove(key);
    }
  }

  close(): void {}

  #place(key: string): string {
    return join(this.#folder, key);
  }
}

async function writeWhole(place: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  await using file = await open(place, 'wx');
  for await (const chunk of content) await file.writeFile(chunk);
  await file.sync();
}

/**
 * Makes new entries last, so that an artifact that was stored is there also after a loss of power.
 *
 * @param folder The folder of a new file.
 * @param top The folder above it that was there before, if any was made.
 */
async function syncFolders(folder: string, top = folder): Promise<void> {
  for (let each = folder; ; each = dirname(each)) {
    await using handle = await open(each);
    await handle.sync();
    if (each === top) return;
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

const orUndefined = <T>(operation: Promise<T>): Promise<T | undefined> =>
  unavailable(() =>
    operation.catch((error) => {
      if (isMissing(error)) return undefined;
      throw error;
    }),
  );

async function unavailable<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (isMissing(error)) throw missing();
    throw fileError(error, 'The folder of the artifacts cannot be used');
  }
}
