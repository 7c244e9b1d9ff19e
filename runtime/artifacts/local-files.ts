/** @module Reads the files of a model on this machine, without ever following a link. */

import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ServeError } from '../errors.ts';
import {
  type Artifact,
  type ArtifactFile,
  artifactOf,
  isManifest,
  ONLY_FILE,
  type TransferOptions,
} from './artifact.ts';
import { fileError } from './file-error.ts';
import { ARTIFACT_LIMITS, checkPath, PathSet, refused } from './paths.ts';

/** An artifact that lies on this machine. */
export interface LocalArtifact extends Artifact {
  /** The path of the file or folder. */
  readonly source: string;
  readonly isFolder: boolean;
}

interface LocalFile {
  readonly path: string;
  /** Where it lies on this machine. */
  readonly place: string;
  readonly bytes: number;
}

const CHUNK_BYTES = 256 * 1024;

/**
 * Hashes a model file, or a folder with all that lies in it.
 *
 * @throws {ServeError} `REJECTED` for links of both kinds, devices and names that an artifact must not have;
 * `PAYLOAD_TOO_LARGE` beyond 16 GiB or 10,000 files and folders; `NOT_FOUND` if there is no such file or folder.
 */
export async function hashArtifact(
  source: string,
  options: TransferOptions = {},
): Promise<LocalArtifact> {
  try {
    return await hashAll(source, options);
  } catch (error) {
    throw fileError(error, 'The artifact cannot be read');
  }
}

async function hashAll(
  source: string,
  { onProgress, signal }: TransferOptions,
): Promise<LocalArtifact> {
  const { files, bytes, isFolder } = await listFiles(source);
  const hashed: ArtifactFile[] = [];
  let done = 0;
  for (const { path, place, bytes: size } of files) {
    const hash = createHash('sha256');
    await using file = await openFile(place, path);
    let length = 0;
    for await (const chunk of chunksOf(file, 0, signal)) {
      if (length === 0 && path === ONLY_FILE && files.length === 1) refuseManifest(chunk);
      hash.update(chunk);
      length += chunk.byteLength;
      done += chunk.byteLength;
      onProgress?.(done, bytes);
    }
    if (length !== size) throw refused(path, 'changed while it was read');
    hashed.push({ path, bytes: length, sha256: hash.digest('hex') });
  }
  return { ...artifactOf(hashed), source, isFolder };
}

/** Where a file of an artifact lies. */
export const placeOf = ({ source, isFolder }: LocalArtifact, { path }: ArtifactFile): string =>
  isFolder ? join(source, path) : source;

function refuseManifest(start: Uint8Array): void {
  if (isManifest(start)) throw refused(ONLY_FILE, 'is not a model but a list of files');
}

interface Listing {
  readonly files: readonly LocalFile[];
  readonly bytes: number;
  readonly isFolder: boolean;
}

/** The files of a folder at any depth, or a file alone under the name `model.onnx`. */
async function listFiles(source: string): Promise<Listing> {
  const stats = await lstat(source).catch((cause) => {
    throw new ServeError('NOT_FOUND', 'There is no such file or folder.', { cause });
  });
  const isFolder = stats.isDirectory();
  const paths = new PathSet(ARTIFACT_LIMITS);
  const files: LocalFile[] = [];
  const addFile = (path: string, place: string, found: Stats) => {
    checkFile(path, found);
    paths.addFile(path, found.size);
    files.push({ path, place, bytes: found.size });
  };
  const addFolder = async (parent: string, folder: string) => {
    for (const name of (await readdir(folder)).sort()) {
      const path = parent === '' ? name : `${parent}/${name}`;
      checkPath(path);
      const place = join(folder, name);
      const found = await lstat(place);
      if (!found.isDirectory()) {
        addFile(path, place, found);
      } else {
        paths.addFolder(path);
        await addFolder(path, place);
      }
    }
  };
  if (!isFolder) addFile(ONLY_FILE, source, stats);
  else await addFolder('', source);
  if (files.length === 0) throw new ServeError('REJECTED', 'The artifact has no file.');
  return { files, bytes: paths.bytes, isFolder };
}

const isLink = (path: string) => refused(path, 'is a symbolic link; links are not allowed');

/** @throws {ServeError} `REJECTED` unless it is a file with one name. */
function checkFile(path: string, stats: Stats): void {
  if (stats.isSymbolicLink()) throw isLink(path);
  if (!stats.isFile()) throw refused(path, 'is neither a file nor a folder');
  if (stats.nlink > 1) throw refused(path, 'is a hard link; links are not allowed');
}

/**
 * Opens a file for reading. The caller closes it.
 *
 * @throws {ServeError} `REJECTED` if it is a link or a device, also one that took the place of a file since it was listed.
 */
export async function openFile(place: string, path: string): Promise<FileHandle> {
  // A pipe without a writer would otherwise block the thread.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(place, flags).catch((error) => {
    throw error.code === 'ELOOP' ? isLink(path) : error;
  });
  try {
    checkFile(path, await file.stat());
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The content of a file from a position. Each chunk is valid until the next one is asked for. */
export async function* chunksOf(
  file: FileHandle,
  start = 0,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let position = start; ; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}
