/** @module Archives of the form zip. */

import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import type { Entry } from 'yauzl';
import { ServeError } from '../errors.ts';
import { refused } from './paths.ts';
import type { Unpacking } from './unpacking.ts';

const LOCAL_HEADER_BYTES = 30;
/** The type of a file in its Unix mode, which is in the upper half of the external attributes. */
const TYPE = 0o170000;
const FILE = 0o100000;
const FOLDER = 0o040000;
const LINK = 0o120000;

interface Member {
  readonly path: string;
  readonly isFolder: boolean;
  readonly entry: Entry;
}

/** @throws {ServeError} See `unpackArchive`. */
export async function unpackZip(archive: string, unpacking: Unpacking): Promise<void> {
  const { default: yauzl } = await import('yauzl');
  // Names are decoded here, so that this module's errors say what is wrong with them.
  const options = { lazyEntries: true, autoClose: false, decodeStrings: false };
  const zip = await yauzl.openPromise(archive, options);
  try {
    const members: Member[] = [];
    for await (const entry of zip.eachEntry()) {
      const { generalPurposeBitFlag: flags, fileNameRaw, extraFields } = entry;
      const name = yauzl.getFileNameLowLevel(flags, fileNameRaw, extraFields, true);
      const member = memberOf(name, entry);
      unpacking.add(member.path, member.isFolder ? 'folder' : 'file', entry.uncompressedSize);
      members.push(member);
    }
    const shared = overlapping(members);
    if (shared !== undefined) throw refused(shared, 'overlaps another one');
    for (const { path, isFolder, entry } of members) {
      if (isFolder) await unpacking.makeFolder(path);
      else await unpackFile(path, entry, await zip.openReadStreamPromise(entry), unpacking);
    }
  } finally {
    zip.close();
  }
}

function memberOf(name: string, entry: Entry): Member {
  const path = name.replace(/\/$/, '');
  const isFolder = name.endsWith('/');
  const type = (entry.externalFileAttributes >>> 16) & TYPE;
  if (type === LINK) throw refused(path, 'is a link; links are not allowed');
  if (type !== 0 && type !== (isFolder ? FOLDER : FILE)) {
    throw refused(path, 'is neither a file nor a folder');
  }
  if (entry.isEncrypted()) throw refused(path, 'is encrypted');
  if (!entry.canDecodeFileData())
    throw refused(path, 'is compressed by another method than deflate');
  return { path, isFolder, entry };
}

/** Where an archive has the bytes of a member. */
export interface MemberPlace {
  readonly path: string;
  readonly entry: Pick<Entry, 'relativeOffsetOfLocalHeader' | 'compressedSize'>;
}

/**
 * The path of a member that shares its compressed bytes with another one, which is how a small archive unpacks to petabytes;
 * undefined if there is none.
 */
export function overlapping(members: readonly MemberPlace[]): string | undefined {
  const sorted = members.toSorted(
    (a, b) => a.entry.relativeOffsetOfLocalHeader - b.entry.relativeOffsetOfLocalHeader,
  );
  let end = 0;
  for (const { path, entry } of sorted) {
    if (entry.relativeOffsetOfLocalHeader < end) return path;
    end = entry.relativeOffsetOfLocalHeader + LOCAL_HEADER_BYTES + entry.compressedSize;
  }
  return undefined;
}

async function unpackFile(
  path: string,
  entry: Entry,
  content: Readable,
  unpacking: Unpacking,
): Promise<void> {
  // It also reports an error after its reader has given up, when nobody would handle it.
  content.on('error', () => {});
  let sum = 0;
  const summed = async function* () {
    for await (const chunk of content) {
      sum = crc32(chunk, sum);
      yield chunk;
    }
  };
  await unpacking.writeFile(path, summed(), entry.uncompressedSize);
  if (sum !== entry.crc32) {
    throw new ServeError('INVALID_ARGUMENT', `The path '${path}' of the archive is damaged.`);
  }
}
