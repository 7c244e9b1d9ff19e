/** @module Divides the body of a batch into lines, and the lines into chunks that are stored together. */

import { type ServeCode, ServeError } from '../errors.ts';

/** A line that cannot be run, and why. */
export interface BadLine {
  readonly code: ServeCode;
  readonly message: string;
}

/** A line that was made of a file of an archive, whose result has the name of the file. */
export interface FileLine {
  readonly file: string;
  readonly line: string | BadLine;
}

/** A line as it was sent or made, or the reason why it cannot be run. */
export type Line = string | BadLine | FileLine;

const NEWLINE = 0x0a;

/** Divides bytes that arrive in pieces. Blank lines are left out. */
export class LineSplitter {
  readonly #limit: number;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  /** The start of a line whose end has not arrived, at most `#limit` bytes of it. */
  #start: Uint8Array[] = [];
  #length = 0;

  /** @param limit Maximum bytes of a line. The bytes of a longer one are dropped as they arrive. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that end in this piece. */
  push(piece: Uint8Array): Line[] {
    const lines: Line[] = [];
    let from = 0;
    for (let to = piece.indexOf(NEWLINE); to !== -1; to = piece.indexOf(NEWLINE, from)) {
      this.#append(piece.subarray(from, to));
      this.#finish(lines);
      from = to + 1;
    }
    // The piece is copied, because its memory may be large or used again.
    this.#append(piece.slice(from));
    return lines;
  }

  /** The last line, which needs no line break. */
  end(): Line[] {
    const lines: Line[] = [];
    this.#finish(lines);
    return lines;
  }

  #append(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#length > this.#limit) this.#start = [];
    else if (bytes.length > 0) this.#start.push(bytes);
  }

  #finish(lines: Line[]): void {
    const line = this.#length > this.#limit ? tooLong(this.#limit) : this.#decode();
    if (line !== '') lines.push(line);
    this.#start = [];
    this.#length = 0;
  }

  #decode(): Line {
    try {
      const [only] = this.#start;
      const bytes = this.#start.length === 1 ? only! : Buffer.concat(this.#start);
      return this.#decoder.decode(bytes).trim();
    } catch {
      return { code: 'INVALID_JSON', message: 'The line is not valid UTF-8.' };
    }
  }
}

const tooLong = (limit: number): BadLine => ({
  code: 'PAYLOAD_TOO_LARGE',
  message: `The line is longer than ${limit} bytes.`,
});

/** Consecutive lines of a batch. */
export interface Chunk {
  /** Counts from 0. */
  readonly chunk: number;
  /** The index of its first line in the batch. */
  readonly firstLine: number;
  readonly lines: readonly Line[];
}

/** A chunk is complete when it has so many lines or characters. */
const CHUNK_LINES = 64;
const CHUNK_CHARACTERS = 256 * 1024;

/** Characters of what is run. */
function charactersOf(line: Line): number {
  if (typeof line === 'string') return line.length;
  return 'file' in line ? charactersOf(line.line) : 0;
}

/** Characters of the lines of a chunk. */
export const lengthOf = ({ lines }: Chunk): number =>
  lines.reduce((sum, line) => sum + charactersOf(line), 0);

/** Collects the lines of a batch in chunks. */
export class ChunkBuilder {
  readonly #mostLines: number;
  #chunk = 0;
  #firstLine = 0;
  #lines: Line[] = [];
  #characters = 0;

  /** @param mostLines Maximum lines of the batch. */
  constructor(mostLines: number) {
    this.#mostLines = mostLines;
  }

  /** How many lines were added so far. */
  get count(): number {
    return this.#firstLine + this.#lines.length;
  }

  /**
   * Adds a line. @returns the chunk that it completes.
   *
   * @throws {ServeError} `PAYLOAD_TOO_LARGE`
   */
  add(line: Line): Chunk | undefined {
    if (this.count >= this.#mostLines) {
      throw new ServeError(
        'PAYLOAD_TOO_LARGE',
        `The batch has more than ${this.#mostLines} lines; send it in several parts.`,
      );
    }
    this.#lines.push(line);
    this.#characters += charactersOf(line);
    const isComplete = this.#lines.length >= CHUNK_LINES || this.#characters >= CHUNK_CHARACTERS;
    return isComplete ? this.finish() : undefined;
  }

  /** The lines since the last chunk; undefined if there are none. */
  finish(): Chunk | undefined {
    if (this.#lines.length === 0) return undefined;
    const made = { chunk: this.#chunk, firstLine: this.#firstLine, lines: this.#lines };
    this.#chunk += 1;
    this.#firstLine += this.#lines.length;
    this.#lines = [];
    this.#characters = 0;
    return made;
  }
}
