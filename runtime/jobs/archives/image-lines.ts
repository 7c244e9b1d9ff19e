/** @module Makes lines of a batch from the images of an archive: the body of a request for each file. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { invalidArgument, ServeError } from '../../errors.ts';
import { MAX_IMAGE_BYTES, sniff, tooManyImageBytes } from '../../image/decode/index.ts';
import type { BadLine, FileLine, Line } from '../lines.ts';
import { ARCHIVE_LIMITS, type ArchiveFile, type ArchiveLimits } from './archive-file.ts';
import { tarFiles } from './tar-files.ts';
import { zipFiles } from './zip-files.ts';

/** Members of each body beside `image`. */
export type ImageOptions = Readonly<Record<string, unknown>>;

export type ToLines = (pieces: AsyncIterable<Uint8Array>) => AsyncIterable<readonly Line[]>;

/** Characters of a name that are kept. */
const MAX_NAME = 1024;

/** Lines of the files of a tar archive, as they arrive. */
export const tarImages =
  (options: ImageOptions, limits: ArchiveLimits = ARCHIVE_LIMITS): ToLines =>
  (pieces) =>
    imageLines(tarFiles(pieces, limits), options);

/**
 * Lines of the files of a zip archive, whose directory is at its end.
 *
 * @param path Where the archive is written; the caller removes the file.
 */
export const zipImages = (
  path: string,
  options: ImageOptions,
  limits: ArchiveLimits = ARCHIVE_LIMITS,
): ToLines =>
  async function* (pieces) {
    for await (const _ of write(pieces, path)) yield [];
    yield* imageLines(zipFiles(path, limits), options);
  };

/** Writes the pieces to a file, and yields after each. @throws {ServeError} `STORE_UNAVAILABLE`; what `pieces` throws */
async function* write(pieces: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<void> {
  const file = createWriteStream(path, { flags: 'wx' });
  const failed = finished(file).catch((cause) => {
    throw new ServeError('STORE_UNAVAILABLE', 'The archive cannot be written to the disk.', {
      cause,
    });
  });
  failed.catch(() => {});
  try {
    for await (const piece of pieces) {
      if (!file.write(piece)) await Promise.race([once(file, 'drain'), failed]);
      yield;
    }
    file.end();
    await failed;
  } finally {
    file.destroy();
  }
}

async function* imageLines(
  files: AsyncIterable<ArchiveFile>,
  options: ImageOptions,
): AsyncGenerator<readonly FileLine[], void> {
  let count = 0;
  for await (const file of files) {
    if (isHidden(file.name)) continue;
    count += 1;
    const content = await imageOf(file);
    const isImage = content instanceof Uint8Array;
    const line = isImage ? JSON.stringify({ image: base64(content), ...options }) : content;
    yield [{ file: file.name.slice(0, MAX_NAME), line }];
  }
  if (count === 0) throw invalidArgument('The archive has no files, or only hidden ones.');
}

const base64 = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString('base64');

/** Whether systems make files of this name that nobody means to send. */
const isHidden = (name: string): boolean =>
  name.split('/').some((part) => /^\.[^.]|^__MACOSX$|^(?:thumbs\.db|desktop\.ini)$/i.test(part));

/** The content of a file that is an image, or why it cannot be read as one. */
async function imageOf(file: ArchiveFile): Promise<Uint8Array | BadLine> {
  const { bytes, fault } = file;
  if (fault !== undefined) return bad(invalidArgument(`The file ${fault}.`));
  if (bytes > MAX_IMAGE_BYTES) return bad(tooManyImageBytes());
  const content = await file.read();
  if (content === undefined) {
    return bad(
      new ServeError('INVALID_IMAGE', 'The file is damaged in the archive; pack it anew.'),
    );
  }
  try {
    sniff(content);
    return content;
  } catch (error) {
    if (error instanceof ServeError) return bad(error);
    throw error;
  }
}

const bad = ({ code, message }: ServeError): BadLine => ({ code, message });
