/** @module Objects in memory, whose connection breaks where a test wants. */

import type { Objects, StoredObject } from '../../../runtime/artifacts/objects.ts';
import { ServeError } from '../../../runtime/index.ts';

const CHUNK_BYTES = 10;

export class MemoryObjects implements Objects {
  readonly content = new Map<string, Buffer>();
  /** The key and the start of each read of more than a few bytes. */
  readonly reads: string[] = [];
  /** After how many bytes of a read the connection breaks. */
  breakAfter = Number.POSITIVE_INFINITY;

  async write(key: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const parts: Buffer[] = [];
    for await (const chunk of content) parts.push(Buffer.from(chunk));
    this.content.set(key, Buffer.concat(parts));
  }

  async *read(key: string, start: number, limit?: number): AsyncGenerator<Uint8Array> {
    if (limit === undefined) this.reads.push(`${key.slice(-4)} from ${start}`);
    const wanted = this.content.get(key)!.subarray(start, limit && start + limit);
    for (let at = 0; at < wanted.length; at += CHUNK_BYTES) {
      if (at >= this.breakAfter) throw new ServeError('STORE_UNAVAILABLE', 'It is gone.');
      yield wanted.subarray(at, at + CHUNK_BYTES);
    }
  }

  async size(key: string): Promise<number | undefined> {
    return this.content.get(key)?.byteLength;
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    return [...this.content]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, { byteLength }]) => ({ key, bytes: byteLength, modified: Date.now() }));
  }

  async remove(key: string): Promise<void> {
    this.content.delete(key);
  }

  async sweep(): Promise<void> {}

  close(): void {}
}
