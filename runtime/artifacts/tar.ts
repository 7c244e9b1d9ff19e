/** @module Archives of the form tar. */

import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Header } from 'tar-stream';
import { refused } from './paths.ts';
import { damagedArchive, type Unpacking } from './unpacking.ts';

/** @throws {ServeError} See `unpackArchive`. */
export async function unpackTar(
  archive: string,
  unpacking: Unpacking,
  isCompressed: boolean,
): Promise<void> {
  const { extract } = await import('tar-stream');
  const entries = extract();
  const limited = (chunks: AsyncIterable<Uint8Array>) => limitStream(chunks, unpacking);
  const source = createReadStream(archive);
  const read = isCompressed
    ? pipeline(source, createGunzip(), limited, entries)
    : pipeline(source, limited, entries);
  // The loop below ends with the same error, and is where it is handled.
  read.catch(() => {});
  try {
    for await (const entry of entries) {
      // Its type does not say that it can be iterated.
      const content = entry as unknown as AsyncIterable<Uint8Array>;
      await unpackEntry(entry.header, content, unpacking);
    }
    await read;
  } finally {
    source.destroy();
  }
}

async function unpackEntry(
  { name, type, size, pax }: Header,
  content: AsyncIterable<Uint8Array>,
  unpacking: Unpacking,
): Promise<void> {
  // `tar -C folder .` writes every path with `./` before it.
  const path = name.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
  const isFolder = type === 'directory';
  if (type === 'link' || type === 'symlink')
    throw refused(path, 'is a link; links are not allowed');
  if (!isFolder && type !== 'file') throw refused(path, 'is neither a file nor a folder');
  if (Object.keys(pax ?? {}).some((key) => key.startsWith('GNU.sparse'))) {
    throw refused(path, 'is a sparse file; pack it without --sparse');
  }
  if (!isFolder) {
    unpacking.add(path, 'file', size);
    await unpacking.writeFile(path, content, size);
    return;
  }
  if (path !== '' && path !== '.') {
    unpacking.add(path, 'folder', 0);
    await unpacking.makeFolder(path);
  }
}

/** Ends an archive that goes on without entries, which would otherwise take for ever. */
export async function* limitStream(
  chunks: AsyncIterable<Uint8Array>,
  unpacking: Pick<Unpacking, 'signal' | 'maxStreamBytes'>,
): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of chunks) {
    unpacking.signal?.throwIfAborted();
    length += chunk.byteLength;
    if (length > unpacking.maxStreamBytes) throw damagedArchive();
    yield chunk;
  }
}
