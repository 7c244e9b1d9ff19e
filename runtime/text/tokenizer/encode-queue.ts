/**
 * The order in which a thread encodes texts. Requests take turns, each with a piece of its texts, so that a small request
 * does not wait for a large one; pieces of several requests are encoded together. It is start-time fair queuing (Goyal, Vin
 * and Cheng, SIGCOMM 1996) of characters.
 *
 * @module
 */

import { ServeError } from '../../errors.ts';
import { tooManyTokens } from './too-much-text.ts';
import type { Encoded, EncodeRequest } from './wire.ts';

/** Characters of texts that are encoded together, unless one text alone has more. They take about 10 ms. */
const BATCH_CHARACTERS = 16_384;
/** Batches in progress at the same time. At most one has a longer text, beside which others are encoded. */
const BATCHES = 2;

/** The tokens of a text. */
export interface Tokens {
  readonly ids: readonly number[];
  /** Start and end of each token in code points, alternately; undefined if they were not requested. */
  readonly offsets: Uint32Array | undefined;
}

export interface Encoder {
  /** Encodes texts without special tokens. */
  encode(texts: readonly string[], options: EncodeRequest): Promise<readonly Tokens[]>;
  /**
   * Why a text is not to be encoded; undefined if it is. That it has more tokens than the limit is found out before they are
   * all made.
   */
  refusal(text: string, options: EncodeRequest): Promise<ServeError | undefined>;
}

/** A request in the queue. */
interface Job {
  readonly request: EncodeRequest;
  /** The first text that is in no batch yet. */
  next: number;
  /** When it has its next turn, in characters that were taken before. */
  turn: number;
  /** Texts that are not encoded yet. */
  left: number;
  /** How many tokens there are so far. */
  count: number;
  readonly texts: Tokens[];
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
  readonly #encoder: Encoder;
  readonly #waiting: Job[] = [];
  /** The turn of the job that was taken last. */
  #now = 0;
  #running = 0;
  /** Whether a batch with a longer text is in progress. */
  #hasLong = false;
  /** Resolve when nothing is in progress any more. */
  readonly #idle: (() => void)[] = [];

  constructor(encoder: Encoder) {
    this.#encoder = encoder;
  }

  /** @param answer Called once, unless the returned function is called first, which drops what has not begun. */
  add(request: EncodeRequest, answer: (answer: Encoded | ServeError) => void): () => void {
    const left = request.texts.length;
    const job: Job = {
      ...{ request, answer, left },
      ...{ next: 0, turn: this.#now, count: 0, texts: new Array<Tokens>(left), failed: false },
    };
    if (left === 0) answer(pack(job));
    else {
      this.#waiting.push(job);
      this.#pump();
    }
    return () => this.#drop(job);
  }

  /** Resolves when every request has its answer. */
  async idle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    while (this.#running < BATCHES) {
      const pieces = this.#takeBatch();
      if (pieces.length === 0) return;
      this.#running += 1;
      void this.#run(pieces);
    }
  }

  /** Pieces of the jobs whose turn it is; none if nothing can be begun now. */
  #takeBatch(): Piece[] {
    const pieces: Piece[] = [];
    // Those of the same turn stay in their order.
    this.#waiting.sort((a, b) => a.turn - b.turn);
    let characters = 0;
    for (const job of this.#waiting) {
      if (characters >= BATCH_CHARACTERS) break;
      const { texts, split } = job.request;
      const isOther = pieces.length > 0 && pieces[0]!.job.request.split !== split;
      if (isOther || (this.#hasLong && isLong(texts[job.next]!))) continue;
      this.#now = job.turn;
      const before = characters;
      const from = job.next;
      while (job.next < texts.length && characters < BATCH_CHARACTERS) {
        const text = texts[job.next]!;
        if (isLong(text) && this.#hasLong) break;
        this.#hasLong ||= isLong(text);
        characters += text.length + 1;
        job.next += 1;
      }
      job.turn += characters - before;
      pieces.push({ job, from, to: job.next });
    }
    for (const { job } of pieces) if (job.next === job.request.texts.length) this.#remove(job);
    return pieces;
  }

  async #run(pieces: readonly Piece[]): Promise<void> {
    try {
      for (const piece of pieces) await this.#check(piece);
      const left = pieces.filter(({ job }) => !job.failed);
      await this.#encodeAll(left);
    } catch (error) {
      await this.#encodeEach(pieces, error);
    }
    this.#running -= 1;
    if (pieces.some((piece) => textsOf(piece).some(isLong))) this.#hasLong = false;
    this.#pump();
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Refuses a request with a text that would take much memory or time. */
  async #check(piece: Piece): Promise<void> {
    const { job } = piece;
    for (const text of textsOf(piece)) {
      const reason = job.failed ? undefined : await this.#encoder.refusal(text, job.request);
      if (reason !== undefined) this.#fail(job, reason);
    }
  }

  async #encodeAll(pieces: readonly Piece[]): Promise<void> {
    if (pieces.length === 0) return;
    const tokens = await this.#encoder.encode(pieces.flatMap(textsOf), optionsOf(pieces));
    let at = 0;
    for (const piece of pieces) {
      const count = piece.to - piece.from;
      this.#keep(piece, tokens.slice(at, at + count));
      at += count;
    }
  }

  /** After a batch has failed: only the requests whose own texts cannot be encoded fail. */
  async #encodeEach(pieces: readonly Piece[], error: unknown): Promise<void> {
    for (const piece of pieces) {
      const { job } = piece;
      try {
        if (pieces.length === 1) throw error;
        if (!job.failed) await this.#encodeAll([piece]);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        const message = `The tokenizer of the model cannot encode the text: ${reason}`;
        this.#fail(job, new ServeError('INVALID_ARGUMENT', message, { cause }));
      }
    }
  }

  /** Keeps the tokens of a piece, and answers its job if those were the last. */
  #keep({ job, from }: Piece, tokens: readonly Tokens[]): void {
    if (job.failed) return;
    for (const [i, text] of tokens.entries()) {
      job.texts[from + i] = text;
      job.count += text.ids.length;
    }
    job.left -= tokens.length;
    const { limit, texts } = job.request;
    if (job.count > limit) this.#fail(job, tooManyTokens(texts.length, limit));
    else if (job.left === 0) job.answer(pack(job));
  }

  #fail(job: Job, error: ServeError): void {
    if (job.failed) return;
    this.#drop(job);
    job.answer(error);
  }

  #drop(job: Job): void {
    job.failed = true;
    this.#remove(job);
  }

  #remove(job: Job): void {
    const at = this.#waiting.indexOf(job);
    if (at !== -1) this.#waiting.splice(at, 1);
  }
}

const isLong = (text: string): boolean => text.length > BATCH_CHARACTERS;

const textsOf = ({ job, from, to }: Piece): readonly string[] => job.request.texts.slice(from, to);

/** The options of a batch: offsets are made if any of its requests wants them. */
function optionsOf(pieces: readonly Piece[]): EncodeRequest {
  const requests = pieces.map(({ job }) => job.request);
  return requests.find(({ offsets }) => offsets) ?? requests[0]!;
}

/** The tokens of all texts of a job in a few arrays, which can be moved to another thread. */
function pack({ request, texts, count }: Job): Encoded {
  const ids = new Int32Array(count);
  const lengths = new Int32Array(texts.length);
  const offsets = request.offsets ? new Uint32Array(2 * count) : undefined;
  let at = 0;
  for (const [i, text] of texts.entries()) {
    ids.set(text.ids, at);
    lengths[i] = text.ids.length;
    offsets?.set(text.offsets!, 2 * at);
    at += text.ids.length;
  }
  return { ids: ids.buffer, lengths: lengths.buffer, offsets: offsets?.buffer };
}
