/** @module The files of a tar archive, as it arrives. */

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Header } from 'tar-stream';
import { limitStream } from '../../artifacts/index.ts';
import { ServeError } from '../../errors.ts';
import {
  type ArchiveFile,
  type ArchiveLimits,
  damagedForm,
  tooManyBytes,
  tooManyEntries,
} from './archive-file.ts';

/** The headers of an entry, with a long name and its padding. */
const MAX_HEADER_BYTES = 8192;
/** What may follow the last entry, and what is read ahead. */
const MAX_REST_BYTES = 1024 * 1024;

/** The content of an entry, which must be read to its end, because leaving it early would end the archive. */
type Content = AsyncIterable<Uint8Array> & { resume(): void };

/**
 * @param pieces The archive, all of which is read.
 * @throws {ServeError} `INVALID_ARGUMENT` for an archive that is damaged; `PAYLOAD_TOO_LARGE`; what `pieces` throws
 */
export async function* tarFiles(
  pieces: AsyncIterable<Uint8Array>,
  limits: ArchiveLimits,
): AsyncGenerator<ArchiveFile, void> {
  const { extract } = await import('tar-stream');
  const entries = extract();
  let count = 0;
  let bytes = 0;
  const reading = {
    signal: undefined,
    get maxStreamBytes() {
      return bytes + count * MAX_HEADER_BYTES + MAX_REST_BYTES;
    },
  };
  /** What the source has thrown: streams may end with another error then. */
  let failure: unknown;
  const watched = async function* () {
    try {
      yield* limitStream(pieces, reading);
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  const toError = (error: unknown) =>
    failure ?? (error instanceof ServeError ? error : damagedForm('tar', error));
  const source = Readable.from(watched(), { objectMode: false });
  const read = pipeline(source, entries);
  // The loop below ends with the same error, and is where it is handled.
  read.catch(() => {});
  try {
    for await (const entry of entries) {
      // Its type says neither that it can be iterated nor that it can be skipped.
      const content = entry as unknown as Content;
      const { name, size, type } = entry.header;
      count += 1;
      if (count > limits.entries) throw tooManyEntries(limits);
      bytes += size;
      if (bytes > limits.bytes) throw tooManyBytes(limits.bytes);
      let isRead = false;
      const collect = () => {
        isRead = true;
        return whole(content).catch((error) => {
          throw toError(error);
        });
      };
      if (type !== 'directory') {
        yield { name, bytes: size, fault: faultOf(entry.header), read: collect };
      }
      if (!isRead) content.resume();
    }
    await read;
  } catch (error) {
    throw toError(error);
  } finally {
    source.destroy();
  }
}

function faultOf({ type, pax }: Header): string | undefined {
  if (type === 'link' || type === 'symlink') return 'is a link';
  if (Object.keys(pax ?? {}).some((key) => key.startsWith('GNU.sparse'))) {
    return 'is a sparse file; pack it without --sparse';
  }
  return type === 'file' || type === 'contiguous-file' ? undefined : 'is a device';
}

async function whole(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}
