/** @module Receives the lines of a batch and stores them as they arrive. */

import type { Hash } from 'node:crypto';
import { invalidArgument, ServeError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { insertChunks } from './chunk-table.ts';
import type { JobRequest } from './job.ts';
import { dropBatch, insertJob, type Made, type Owner, queueBatch } from './job-table.ts';
import { type Chunk, ChunkBuilder, type Line, LineSplitter } from './lines.ts';

export interface BatchSource {
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Maximum bytes of a line; a longer one is an error of that line alone. */
  readonly lineBytes: number;
  /** Maximum lines. */
  readonly lines: number;
}

/** Chunks that one statement stores. */
const CHUNKS_AT_ONCE = 8;

/**
 * @param hash What is asked for, to which the bytes of the lines are added.
 * @returns the job, and the complete hash
 */
export async function receiveBatch(
  store: Store,
  owner: Owner,
  request: JobRequest,
  source: BatchSource,
  hash: Hash,
): Promise<{ readonly made: Made & { readonly request: string | null }; readonly digest: string }> {
  const made = await insertJob(store, owner, request, null);
  if (!made.created && made.receiving) {
    throw new ServeError('CONFLICT', 'The batch with this Idempotency-Key is still being sent.');
  }
  if (!made.created) {
    for await (const piece of source.pieces) hash.update(piece);
    return { made, digest: hash.digest('hex') };
  }
  try {
    const lines = await storeLines(store, made.id, source, hash);
    if (lines === 0) throw invalidArgument('The batch has no lines; send one body on each line.');
    const digest = hash.digest('hex');
    if (!(await queueBatch(store, made.id, lines, digest))) throw tooSlow();
    return { made, digest };
  } catch (error) {
    // If this fails too, the rest is deleted when nobody has received it for a while.
    await dropBatch(store, made.id).catch(() => undefined);
    throw error;
  }
}

/** @returns the number of lines */
async function storeLines(
  store: Store,
  id: string,
  { pieces, lineBytes, lines: mostLines }: BatchSource,
  hash: Hash,
): Promise<number> {
  const splitter = new LineSplitter(lineBytes);
  const builder = new ChunkBuilder(mostLines);
  let chunks: Chunk[] = [];
  const keep = (chunk: Chunk | undefined) => chunk !== undefined && chunks.push(chunk);
  const add = (lines: readonly Line[]) => {
    for (const line of lines) keep(builder.add(line));
  };
  const flush = async () => {
    if (chunks.length === 0) return;
    if (!(await insertChunks(store, id, chunks))) throw tooSlow();
    chunks = [];
  };
  for await (const piece of pieces) {
    hash.update(piece);
    add(splitter.push(piece));
    if (chunks.length >= CHUNKS_AT_ONCE) await flush();
  }
  add(splitter.end());
  keep(builder.finish());
  await flush();
  return builder.count;
}

function tooSlow(): ServeError {
  return new ServeError('BODY_TIMEOUT', 'The lines of the batch came too slowly.');
}
