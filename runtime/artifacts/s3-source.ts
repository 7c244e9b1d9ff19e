/** @module Downloads what a registration names by an S3 URL: one object, or all below a prefix. */

import { mkdir, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { S3Settings } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import type { TransferOptions } from './artifact.ts';
import { fileError } from './file-error.ts';
import { ARTIFACT_LIMITS, PathSet } from './paths.ts';
import { S3Objects } from './s3-objects.ts';

/**
 * Downloads `s3://bucket/key` into a folder, with the server's settings of S3.
 *
 * @param folder Is made.
 * @returns The path of the file if the URL names an object, or else of the folder, with all objects below `key/`.
 * @throws {ServeError} `INVALID_ARGUMENT` for another kind of URL; `NOT_FOUND`; `REJECTED` and `PAYLOAD_TOO_LARGE` for what
 * an artifact must not have; `STORE_UNAVAILABLE`
 */
export async function downloadSource(
  url: string,
  folder: string,
  settings: S3Settings,
  options: TransferOptions = {},
): Promise<string> {
  const found = /^s3:\/\/([a-z0-9][a-z0-9.-]+)\/(.*[^/])\/*$/s.exec(url);
  if (found === null) {
    throw new ServeError('INVALID_ARGUMENT', 'The source must be s3://bucket/key.');
  }
  const [, bucket = '', key = ''] = found;
  const objects = new S3Objects(`s3://${bucket}`, settings);
  try {
    const bytes = await objects.size(key);
    if (bytes !== undefined) {
      const place = join(folder, basename(key));
      await save(objects, [{ key, place, path: basename(key), bytes }], options);
      return place;
    }
    // A prefix may have millions of objects, which would be refused only when all of them are listed.
    const listed = await objects.list(`${key}/`, ARTIFACT_LIMITS.entries);
    if (listed.length > ARTIFACT_LIMITS.entries) throw tooMany();
    // A client for people marks an empty folder by an object whose key ends with a slash.
    const files = listed.filter((each) => !each.key.endsWith('/'));
    if (files.length === 0) throw new ServeError('NOT_FOUND', 'The bucket has no such object.');
    const wanted = files.map((each) => {
      const path = each.key.slice(key.length + 1);
      return { key: each.key, path, place: join(folder, path), bytes: each.bytes };
    });
    await save(objects, wanted, options);
    return folder;
  } catch (error) {
    throw fileError(error, 'The source cannot be copied');
  } finally {
    objects.close();
  }
}

const tooMany = () =>
  new ServeError(
    'PAYLOAD_TOO_LARGE',
    `The source has more than ${ARTIFACT_LIMITS.entries} objects, which is the most that an artifact may have.`,
  );

interface Wanted {
  readonly key: string;
  readonly path: string;
  readonly place: string;
  readonly bytes: number;
}

async function save(
  objects: S3Objects,
  files: readonly Wanted[],
  { signal, onProgress }: TransferOptions,
): Promise<void> {
  const paths = new PathSet(ARTIFACT_LIMITS);
  for (const { path, bytes } of files) paths.addFile(path, bytes);
  let done = 0;
  for (const { key, place } of files) {
    await mkdir(dirname(place), { recursive: true });
    await using file = await open(place, 'wx');
    for await (const chunk of objects.read(key, 0)) {
      signal?.throwIfAborted();
      await file.writeFile(chunk);
      done += chunk.byteLength;
      if (done > paths.bytes) throw new ServeError('CONFLICT', 'The object changed meanwhile.');
      onProgress?.(done, paths.bytes);
    }
  }
}
