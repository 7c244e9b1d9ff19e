/** @module Packs files as a tar archive while it is sent. */

import { createReadStream } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface PackedFile {
  /** Where it is. */
  readonly file: string;
  /** What the archive calls it. */
  readonly name: string;
  readonly size: number;
}

/** The archive, which is the same for the same files, so that an idempotency key stands for them. */
export async function packed(files: readonly PackedFile[]): Promise<Readable> {
  const { pack } = await import('tar-stream');
  const archive = pack();
  const fill = async () => {
    for (const { file, name, size } of files) {
      const entry = archive.entry({ name, size, mtime: new Date(0) }) as unknown as Writable;
      await pipeline(createReadStream(file), entry);
    }
    archive.finalize();
  };
  fill().catch((error: Error) => archive.destroy(error));
  // The archive is a stream of an older kind of Node's streams.
  return Readable.from(archive as AsyncIterable<Uint8Array>);
}
