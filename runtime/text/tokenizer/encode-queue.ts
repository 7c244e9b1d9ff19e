/**
 * The order in which a thread encodes texts. Requests take turns, each with a piece of its texts, so that a small request
 * does not wait for a large one; pieces of several requests are encoded together.
 *
 * @module
 */

import type { Encoding } from 'tokenizers';
import { ServeError } from '../../errors.ts';
import type { Encoded, EncodeRequest } from './wire.ts';

/** Characters of texts that are encoded together, unless one text alone has more. They take about 10 ms. */
const BATCH_CHARACTERS = 32_768;
/** Batches in progress at the same time: texts of ordinary length are encoded beside one of extraordinary length. */
const BATCHES = 2;

/** Encodes texts without special tokens. */
export type Encode = (texts: readonly string[], split: boolean) => Promise<readonly Encoding[]>;

/** A request in the queue. */
interface Job {
  readonly request: EncodeRequest;
  /** The first text that is in no batch yet. */
  next: number;
  /** Texts that are not encoded yet. */
  left: number;
  tokens: number;
  readonly encodings: Encoding[];
  failed: boolean;
  readonly answer: (answer: Encoded | ServeError) => void;
}

/** Texts of one job in a batch. */
interface Piece {
  readonly job: Job;
  readonly from: number;
  readonly to: number;
}

export class EncodeQueue {
  readonly #encode: Encode;
  readonly #waiting: Job[] = [];
  #running = 0;
  /** Resolve when nothing is in progress any more. */
  readonly #idle: (() => void)[] = [];

  constructor(encode: Encode) {
    this.#encode = encode;
  }

  /** @param answer Called once, unless the returned function is called first, which drops what has not begun. */
  add(request: EncodeRequest, answer: (answer: Encoded | ServeError) => void): () => void {
    const left = request.texts.length;
    const job: Job = {
      ...{ request, answer, left },
      ...{ next: 0, tokens: 0, encodings: new Array<Encoding>(left), failed: false },
    };
    if (left === 0) answer(pack(job));
    else {
      this.#waiting.push(job);
      this.#pump();
    }
    return () => {
      job.failed = true;
      const at = this.#waiting.indexOf(job);
      if (at !== -1) this.#waiting.splice(at, 1);
    };
  }

  /** Resolves when every request has its answer. */
  async idle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    while (this.#running < BATCHES && this.#waiting.length > 0) {
      this.#running += 1;
      void this.#run(this.#takeBatch());
    }
  }

  /** Pieces of the jobs that wait longest. What is left of a job goes behind the others. */
  #takeBatch(): Piece[] {
    const pieces: Piece[] = [];
    const { split } = this.#waiting[0]!.request;
    let characters = 0;
    for (const job of this.#waiting.splice(0)) {
      const { texts } = job.request;
      const from = job.next;
      if (job.request.split === split) {
        while (job.next < texts.length && characters < BATCH_CHARACTERS) {
          characters += texts[job.next]!.length + 1;
          job.next += 1;
        }
      }
      if (job.next > from) pieces.push({ job, from, to: job.next });
      if (job.next < texts.length) this.#waiting.push(job);
    }
    // Those that got nothing stay in front of those that did.
    const took = new Set(pieces.map(({ job }) => job));
    const rank = (job: Job) => (took.has(job) ? 1 : 0);
    this.#waiting.sort((a, b) => rank(a) - rank(b));
    return pieces;
  }

  async #run(pieces: readonly Piece[]): Promise<void> {
    const { split } = pieces[0]!.job.request;
    try {
      const encodings = await this.#encode(pieces.flatMap(textsOf), split);
      let at = 0;
      for (const piece of pieces) {
        const count = piece.to - piece.from;
        finish(piece, encodings.slice(at, at + count), () => this.#drop(piece.job));
        at += count;
      }
    } catch (error) {
      await this.#runAlone(pieces, error);
    }
    this.#running -= 1;
    this.#pump();
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** After a batch has failed: only the requests whose own texts cannot be encoded fail. */
  async #runAlone(pieces: readonly Piece[], error: unknown): Promise<void> {
    for (const piece of pieces) {
      const { job } = piece;
      if (job.failed) continue;
      const drop = () => this.#drop(job);
      try {
        if (pieces.length === 1) throw error;
        finish(piece, await this.#encode(textsOf(piece), job.request.split), drop);
      } catch (cause) {
        drop();
        const reason = cause instanceof Error ? cause.message : String(cause);
        const message = `The tokenizer of the model cannot encode the text: ${reason}`;
        job.answer(new ServeError('INVALID_ARGUMENT', message, { cause }));
      }
    }
  }

  #drop(job: Job): void {
    job.failed = true;
    const at = this.#waiting.indexOf(job);
    if (at !== -1) this.#waiting.splice(at, 1);
  }
}

const textsOf = ({ job, from, to }: Piece): readonly string[] => job.request.texts.slice(from, to);

/** Keeps what was encoded of a job, and answers it if that was the last. @param drop Ends the job. */
function finish({ job, from }: Piece, encodings: readonly Encoding[], drop: () => void): void {
  if (job.failed) return;
  for (const [i, encoding] of encodings.entries()) {
    job.encodings[from + i] = encoding;
    job.tokens += encoding.getLength();
  }
  const { limit } = job.request;
  if (job.tokens > limit) {
    drop();
    job.answer(tooManyTokens(limit));
    return;
  }
  job.left -= encodings.length;
  if (job.left === 0) job.answer(pack(job));
}

export function tooManyTokens(limit: number): ServeError {
  return new ServeError(
    'PAYLOAD_TOO_LARGE',
    `The texts have more than ${limit} tokens; send them in several requests.`,
  );
}

/** The tokens of all texts of a job in a few arrays, which can be moved to another thread. */
function pack({ request, encodings, tokens }: Job): Encoded {
  const ids = new Int32Array(tokens);
  const lengths = new Int32Array(encodings.length);
  const offsets = request.offsets ? new Uint32Array(2 * tokens) : undefined;
  let at = 0;
  for (const [i, encoding] of encodings.entries()) {
    const own = encoding.getIds();
    ids.set(own, at);
    lengths[i] = own.length;
    if (offsets !== undefined) {
      for (const [j, [start, end]] of encoding.getOffsets().entries()) {
        offsets[2 * (at + j)] = start!;
        offsets[2 * (at + j) + 1] = end!;
      }
    }
    at += own.length;
  }
  return { ids: ids.buffer, lengths: lengths.buffer, offsets: offsets?.buffer };
}
