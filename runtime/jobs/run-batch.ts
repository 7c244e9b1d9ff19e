/** @module Runs the lines of a batch, many at a time, so that they share batches of the model. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ServeError } from '../errors.ts';
import { Slots } from '../slots.ts';
import { nextChunk, storeResults } from './chunk-table.ts';
import type { Answer } from './job.ts';
import { resultLine } from './job-json.ts';
import type { Claim } from './lease-table.ts';
import type { Chunk, FileLine, Line } from './lines.ts';
import { backoffMs, busyMs, jobBackoff, untilAvailable } from './retry.ts';
import type { RunParts } from './run-job.ts';

/** Chunks whose lines are in progress at a time: the next ones start while the last lines of one are running. */
const CHUNKS_AT_ONCE = 4;
/** No further chunk is started while results of more characters wait for the rest of their chunk. */
const MOST_HELD = 32 * 1024 * 1024;

/**
 * Runs the lines that have no results yet.
 *
 * @param linesAtOnce Lines in progress at a time.
 * @returns whether all lines have their results; false if the signal aborted or the job is not this worker's any more
 */
export async function runBatch(
  claim: Claim,
  linesAtOnce: number,
  signal: AbortSignal,
  parts: RunParts,
): Promise<boolean> {
  const failed = new AbortController();
  const ends = AbortSignal.any([signal, failed.signal]);
  const batch = new BatchRun(claim, linesAtOnce, ends, parts);
  const running = new Set<Promise<unknown>>();
  const runs = async () => {
    let after = -1;
    while (!ends.aborted) {
      const chunk = await untilAvailable(
        () => nextChunk(parts.store, claim.id, after),
        ends,
        parts.random,
      );
      if (chunk === undefined) return;
      after = chunk.chunk;
      const run = batch.run(chunk).then(
        (isOurs) => isOurs || failed.abort(),
        (error: unknown) => failed.abort(error),
      );
      running.add(run);
      void run.then(() => running.delete(run));
      while (running.size >= CHUNKS_AT_ONCE || (running.size > 0 && batch.held > MOST_HELD)) {
        await Promise.race(running);
      }
    }
  };
  await runs().finally(() => Promise.all(running));
  const { aborted, reason } = failed.signal;
  if (aborted && !signal.aborted && reason.name !== 'AbortError') throw reason;
  return !ends.aborted;
}

class BatchRun {
  /** Characters of results that are not stored yet. */
  held = 0;
  readonly #claim: Claim;
  readonly #slots: Slots;
  readonly #signal: AbortSignal;
  readonly #parts: RunParts;

  constructor(claim: Claim, linesAtOnce: number, signal: AbortSignal, parts: RunParts) {
    this.#claim = claim;
    this.#slots = new Slots(linesAtOnce);
    this.#signal = signal;
    this.#parts = parts;
  }

  /** Runs the lines of a chunk, and stores their results together. @returns false if the job is not this worker's any more */
  async run({ chunk, firstLine, lines }: Chunk): Promise<boolean> {
    let failedLines = 0;
    const results = await Promise.all(
      lines.map(async (line, i) => {
        const isFile = typeof line === 'object' && 'file' in line;
        const { status, body, outcome } = await this.#line(isFile ? line.line : line);
        if (outcome !== 'done') failedLines += 1;
        const result = resultLine(firstLine + i, status, body, isFile ? line.file : undefined);
        this.held += result.length;
        return result;
      }),
    );
    const output = `${results.join('\n')}\n`;
    const stored = { chunk, lines: lines.length, failedLines, output };
    const isOurs = await untilAvailable(
      () => storeResults(this.#parts.store, this.#claim, stored),
      this.#signal,
      this.#parts.random,
    );
    this.held -= output.length - lines.length;
    return isOurs;
  }

  async #line(line: Exclude<Line, FileLine>): Promise<Answer> {
    const { routes, random } = this.#parts;
    if (typeof line !== 'string') return routes.refusal(new ServeError(line.code, line.message));
    for (let failures = 0; ; ) {
      const answer = await this.#slots.use(() => {
        this.#signal.throwIfAborted();
        return routes.call(this.#claim, line, this.#signal);
      });
      if (answer.outcome === 'failed') failures += 1;
      const isLast = answer.outcome !== 'busy' && failures >= this.#claim.maxAttempts;
      if (answer.outcome === 'done' || answer.outcome === 'refused' || isLast) return answer;
      const waitMs =
        answer.outcome === 'busy'
          ? busyMs(answer.retryAfterMs, random())
          : backoffMs(jobBackoff, failures, random());
      await sleep(waitMs, undefined, { signal: this.#signal });
    }
  }
}
