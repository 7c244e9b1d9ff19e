/** @module The files of a zip archive, in the order of its directory. */

import { stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { Entry, ZipFile } from 'yauzl';
import { type MemberPlace, overlapping } from '../../artifacts/index.ts';
import { invalidArgument, ServeError } from '../../errors.ts';
import {
  type ArchiveFile,
  type ArchiveLimits,
  damagedForm,
  tooManyBytes,
  tooManyEntries,
} from './archive-file.ts';

/** The type of a file in its Unix mode, which is in the upper half of the external attributes. */
const TYPE = 0o170000;
const FILE = 0o100000;
const LINK = 0o120000;

/** Archives that unpack to more than so many times their size are made to do harm; small ones may. */
const MAX_RATIO = 100;
const FREE_BYTES = 64 * 1024 * 1024;

/**
 * @param archive The path of the archive.
 * @throws {ServeError} `INVALID_ARGUMENT` for an archive that is damaged or encrypted, or whose entries overlap;
 * `PAYLOAD_TOO_LARGE`
 */
export async function* zipFiles(
  archive: string,
  limits: ArchiveLimits,
): AsyncGenerator<ArchiveFile, void> {
  try {
    await check(archive, limits);
    for await (const [name, entry, zip] of entriesOf(archive)) {
      if (name.endsWith('/')) continue;
      yield {
        name,
        bytes: entry.uncompressedSize,
        fault: faultOf(entry),
        read: () => contentOf(zip, entry),
      };
    }
  } catch (error) {
    throw error instanceof ServeError ? error : damagedForm('zip', error);
  }
}

/** Looks at the whole directory before anything is unpacked. */
async function check(archive: string, limits: ArchiveLimits): Promise<void> {
  const { size } = await stat(archive);
  const most = Math.min(limits.bytes, Math.max(FREE_BYTES, MAX_RATIO * size));
  const places: MemberPlace[] = [];
  let bytes = 0;
  for await (const [name, entry] of entriesOf(archive)) {
    if (places.length >= limits.entries) throw tooManyEntries(limits);
    if (entry.isEncrypted()) {
      throw invalidArgument('The archive is encrypted; send it without a password.');
    }
    bytes += entry.uncompressedSize;
    if (bytes > most) throw tooManyBytes(most);
    const { relativeOffsetOfLocalHeader, compressedSize } = entry;
    places.push({ path: name, entry: { relativeOffsetOfLocalHeader, compressedSize } });
  }
  if (overlapping(places) !== undefined) {
    throw invalidArgument('The archive has files that share their bytes; pack it anew.');
  }
}

async function* entriesOf(
  archive: string,
): AsyncGenerator<readonly [name: string, entry: Entry, zip: ZipFile], void> {
  const { default: yauzl } = await import('yauzl');
  // Names that lead out of a folder are no harm here, and yauzl would refuse the archive for them.
  const options = { lazyEntries: true, autoClose: false, decodeStrings: false };
  const zip = await yauzl.openPromise(archive, options);
  try {
    for await (const entry of zip.eachEntry()) {
      const { generalPurposeBitFlag: flags, fileNameRaw, extraFields } = entry;
      yield [yauzl.getFileNameLowLevel(flags, fileNameRaw, extraFields, false), entry, zip];
    }
  } finally {
    zip.close();
  }
}

function faultOf(entry: Entry): string | undefined {
  const type = (entry.externalFileAttributes >>> 16) & TYPE;
  if (type === LINK) return 'is a link';
  if (type !== 0 && type !== FILE) return 'is a device';
  return entry.canDecodeFileData()
    ? undefined
    : 'is compressed by another method than deflate, which is the only one that is unpacked';
}

async function contentOf(zip: ZipFile, entry: Entry): Promise<Uint8Array | undefined> {
  try {
    const stream = await zip.openReadStreamPromise(entry);
    // It also reports an error after its reader has given up, when nobody would handle it.
    stream.on('error', () => {});
    const parts: Uint8Array[] = [];
    let length = 0;
    let sum = 0;
    for await (const part of stream as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > entry.uncompressedSize) return undefined;
      sum = crc32(part, sum);
      parts.push(part);
    }
    return length === entry.uncompressedSize && sum === entry.crc32
      ? Buffer.concat(parts, length)
      : undefined;
  } catch {
    return undefined;
  }
}
