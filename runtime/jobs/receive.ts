/** @module Receives the lines of a batch and stores them as they arrive. */

import type { Hash } from 'node:crypto';
import { invalidArgument, ServeError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { insertChunks, keepReceiving } from './chunk-table.ts';
import type { JobRequest } from './job.ts';
import {
  dropBatch,
  insertJob,
  type Made,
  type Owner,
  queueBatch,
  RECEIVING_MS,
} from './job-table.ts';
import { type Chunk, ChunkBuilder, type Line, LineSplitter, lengthOf } from './lines.ts';

export interface BatchSource {
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Maximum bytes of a line; a longer one is an error of that line alone. */
  readonly lineBytes: number;
  /** Maximum lines. */
  readonly lines: number;
  /** Makes the lines of the pieces, all of which it reads. Default: each line of the text is one. */
  toLines?(pieces: AsyncIterable<Uint8Array>): AsyncIterable<readonly Line[]>;
  /** What the lines depend on beside the pieces; an idempotency key stands for it, too. */
  readonly about?: string;
}

/** Chunks that one statement stores, and characters from which on it stores fewer. */
const CHUNKS_AT_ONCE = 8;
const CHARACTERS_AT_ONCE = 4 * 1024 * 1024;
/** Most time between two signs of life of a batch whose lines take long. */
const ALIVE_MS = RECEIVING_MS / 10;

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
    for await (const _ of hashed(source, hash));
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
  source: BatchSource,
  hash: Hash,
): Promise<number> {
  const builder = new ChunkBuilder(source.lines);
  let chunks: Chunk[] = [];
  let characters = 0;
  let aliveAt = performance.now();
  const keep = (chunk: Chunk | undefined) => {
    if (chunk === undefined) return;
    chunks.push(chunk);
    characters += lengthOf(chunk);
  };
  const flush = async () => {
    if (chunks.length === 0) return;
    if (!(await insertChunks(store, id, chunks))) throw tooSlow();
    chunks = [];
    characters = 0;
    aliveAt = performance.now();
  };
  const pieces = hashed(source, hash);
  for await (const lines of source.toLines?.(pieces) ?? split(pieces, source.lineBytes)) {
    for (const line of lines) keep(builder.add(line));
    if (chunks.length >= CHUNKS_AT_ONCE || characters >= CHARACTERS_AT_ONCE) await flush();
    if (performance.now() - aliveAt < ALIVE_MS) continue;
    if (!(await keepReceiving(store, id))) throw tooSlow();
    aliveAt = performance.now();
  }
  keep(builder.finish());
  await flush();
  return builder.count;
}

/** The pieces, which are added to the hash. */
async function* hashed(
  { pieces, about = '' }: BatchSource,
  hash: Hash,
): AsyncGenerator<Uint8Array, void> {
  hash.update(about);
  for await (const piece of pieces) {
    hash.update(piece);
    yield piece;
  }
}

/** The lines of a text. */
async function* split(
  pieces: AsyncIterable<Uint8Array>,
  lineBytes: number,
): AsyncGenerator<readonly Line[], void> {
  const splitter = new LineSplitter(lineBytes);
  for await (const piece of pieces) yield splitter.push(piece);
  yield splitter.end();
}

function tooSlow(): ServeError {
  return new ServeError('BODY_TIMEOUT', 'The lines of the batch came too slowly.');
}
