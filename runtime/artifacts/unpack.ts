/** @module Unpacks an archive of a model: tar, also compressed with gzip, and zip. */

import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ServeError } from '../errors.ts';
import type { TransferOptions } from './artifact.ts';
import { ARTIFACT_LIMITS, type Limits } from './paths.ts';
import { unpackTar } from './tar.ts';
import { Unpacking, unreadable } from './unpacking.ts';
import { unpackZip } from './zip.ts';

export interface UnpackOptions extends TransferOptions {
  /** Default: 16 GiB in 10,000 files and folders. */
  readonly limits?: Limits | undefined;
}

/**
 * Unpacks an archive into a folder, which is made; if the archive holds one folder and nothing beside it, into the folder is
 * put what lies in that one. If it throws, there is no folder.
 *
 * @param folder Does not exist.
 * @throws {ServeError} `REJECTED` for a path that leads out of the folder, is absolute or occurs twice, also in other case; for
 * links, even those that stay inside, and devices. `PAYLOAD_TOO_LARGE` beyond the limits, and for an archive that unpacks to
 * more than a hundred times its size. `INVALID_ARGUMENT` for a file that is no archive, and for one that is damaged.
 */
export async function unpackArchive(
  archive: string,
  folder: string,
  options: UnpackOptions = {},
): Promise<void> {
  const temporary = `${folder}.unpacking`;
  try {
    const kind = await kindOf(archive);
    if (kind === undefined) {
      const message = 'The file is neither a tar archive nor a zip archive.';
      throw new ServeError('INVALID_ARGUMENT', message);
    }
    await mkdir(temporary);
    const { limits = ARTIFACT_LIMITS } = options;
    const unpacking = await Unpacking.start(archive, temporary, { ...options, limits });
    if (kind === 'zip') await unpackZip(archive, unpacking);
    else await unpackTar(archive, unpacking, kind === 'gzip');
    await rename(await topFolder(temporary), folder);
  } catch (error) {
    throw unreadable(error);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Whether a file is an archive that `unpackArchive` takes, by its first bytes. */
export const isArchive = async (file: string): Promise<boolean> =>
  (await kindOf(file)) !== undefined;

/** The signature of a member, or of the directory of an archive without any. */
const ZIP_STARTS = [0x04034b50, 0x06054b50];

/** What the first bytes of a file say; undefined if they are not those of an archive. */
async function kindOf(archive: string): Promise<'zip' | 'gzip' | 'tar' | undefined> {
  const start = Buffer.alloc(512);
  await using file = await open(archive);
  await file.read(start, 0, start.length, 0);
  if (ZIP_STARTS.includes(start.readUInt32LE(0))) return 'zip';
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  return start.toString('latin1', 257, 262) === 'ustar' ? 'tar' : undefined;
}

async function topFolder(folder: string): Promise<string> {
  const [first, ...others] = await readdir(folder, { withFileTypes: true });
  if (first === undefined) throw new ServeError('INVALID_ARGUMENT', 'The archive is empty.');
  return first.isDirectory() && others.length === 0 ? join(folder, first.name) : folder;
}
