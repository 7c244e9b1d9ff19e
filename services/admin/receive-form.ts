/** @module Receives a multipart form with one large file, which goes to the disk as it arrives. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BusboyInstance } from '@fastify/busboy';
import { type Clock, invalidArgument, ServeError } from '../../runtime/index.ts';
import { asBodyError, wrongLength } from '../http/body.ts';

/** What a form may hold. */
export interface FormLimits {
  /** The field whose content is written to `path`. */
  readonly file: string;
  /** Where no file is yet. */
  readonly path: string;
  /** Maximum bytes of the file. */
  readonly maxFileBytes: number;
  /** The other fields, and the maximum bytes of each. */
  readonly fields: Readonly<Record<string, number>>;
  /** Longest time between two pieces of the body, milliseconds. */
  readonly idleMs: number;
  /** Minimum bytes per second, after the first five seconds; 0 allows any rate. */
  readonly minRate: number;
}

/** A form that was received. */
export interface Form {
  readonly fields: Readonly<Record<string, string>>;
  /** Whether it had the file. */
  readonly hasFile: boolean;
}

const WATCH_MS = 100;
const GRACE_MS = 5000;
/** Room for the boundaries and headers of the parts. */
const OVERHEAD_BYTES = 64 * 1024;

/**
 * Receives the form of a request.
 *
 * @throws {ServeError} `INVALID_ARGUMENT` for a form that is damaged, has unknown fields, or has one twice;
 * `PAYLOAD_TOO_LARGE`, `BODY_TIMEOUT`, `BODY_INCOMPLETE`; `STORE_UNAVAILABLE` if the disk is full
 */
export function receiveForm(request: Request, limits: FormLimits, clock: Clock): Promise<Form> {
  return new FormReceiver(limits).receive(request, clock);
}

class FormReceiver {
  readonly #limits: FormLimits;
  readonly #fields: Record<string, string> = {};
  #writing: Promise<void> | undefined;
  #failure: ServeError | undefined;
  /** Aborts with the first failure. */
  readonly #failed = new AbortController();

  constructor(limits: FormLimits) {
    this.#limits = limits;
  }

  async receive(request: Request, clock: Clock): Promise<Form> {
    const { maxFileBytes, fields } = this.#limits;
    const most = Object.values(fields).reduce((sum, bytes) => sum + bytes, maxFileBytes);
    if ((request.headers.get('content-encoding') ?? 'identity') !== 'identity') {
      const message = 'A form cannot be compressed; send it as it is.';
      throw new ServeError('UNSUPPORTED_ENCODING', message);
    }
    const length = request.headers.get('content-length');
    const refused = wrongLength(
      length === null ? undefined : Number(length),
      most + OVERHEAD_BYTES,
    );
    if (refused !== undefined) throw refused;
    const parser = await this.#createParser(request.headers.get('content-type') ?? '');
    try {
      await this.#feed(request.body, parser, clock);
      await this.#writing;
    } catch (error) {
      this.#fail(error);
    } finally {
      parser.destroy();
      // The caller removes the folder of the file.
      await this.#writing;
    }
    if (this.#failure !== undefined) throw this.#failure;
    return { fields: this.#fields, hasFile: this.#writing !== undefined };
  }

  async #createParser(type: string): Promise<BusboyInstance> {
    const { Busboy } = await import('@fastify/busboy');
    const { file, fields, maxFileBytes } = this.#limits;
    const parser = createOrRefuse(
      () =>
        new Busboy({
          headers: { 'content-type': type },
          // Some clients send a file name with each field, and some none with a file.
          isPartAFile: (name) => name === file,
          limits: {
            fieldSize: Math.max(...Object.values(fields)) + 1,
            fileSize: maxFileBytes,
            parts: Object.keys(fields).length + 2,
          },
        }),
    );
    parser.on('field', (name, value) => this.#addField(name, value));
    parser.on('file', (_name, stream) => this.#addFile(stream));
    parser.once('partsLimit', () => this.#refuse('The form has too many fields.'));
    parser.once('error', () => this.#refuse('The multipart body is damaged or incomplete.'));
    return parser;
  }

  #addField(name: string, value: string): void {
    const { file, fields } = this.#limits;
    const limit = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (limit === undefined) {
      const known = [file, ...Object.keys(fields)].join(', ');
      this.#refuse(`The form has an unknown field; its fields are ${known}.`);
    } else if (Object.hasOwn(this.#fields, name)) {
      this.#refuse(`The field ${name} occurs twice.`);
    } else if (Buffer.byteLength(value) > limit) {
      this.#fail(tooLarge(name, limit));
    } else {
      this.#fields[name] = value;
    }
  }

  #addFile(stream: Readable): void {
    const { file, path, maxFileBytes } = this.#limits;
    if (this.#writing !== undefined) {
      this.#refuse(`The field ${file} occurs twice.`);
      stream.resume();
      return;
    }
    stream.once('limit', () => this.#fail(tooLarge(file, maxFileBytes)));
    const to = createWriteStream(path, { flags: 'wx' });
    const { signal } = this.#failed;
    this.#writing = pipeline(stream, to, { signal }).catch((error) => this.#fail(error));
  }

  /** Passes the body to the parser, until the end or the first failure. */
  async #feed(
    body: ReadableStream<Uint8Array> | null,
    parser: BusboyInstance,
    clock: Clock,
  ): Promise<void> {
    const { signal } = this.#failed;
    const finished = once(parser, 'finish', { signal });
    // It may fail before anybody waits for it.
    finished.catch(() => {});
    const reader = (body ?? new Blob().stream()).getReader();
    const watch = this.#watch(clock);
    signal.addEventListener('abort', () => void reader.cancel().catch(() => {}), { once: true });
    try {
      for (;;) {
        watch.waits(true);
        const { done, value } = await reader.read();
        watch.waits(false);
        if (signal.aborted) return;
        if (done) break;
        watch.received(value.byteLength);
        if (!parser.write(value)) await once(parser, 'drain', { signal });
      }
      parser.end();
      await finished;
    } finally {
      watch.stop();
    }
  }

  /** Fails if the body stalls or is too slow. Only the time counts in which the body is waited for. */
  #watch(clock: Clock) {
    const { idleMs, minRate } = this.#limits;
    let received = 0;
    let waitedMs = 0;
    let since: number | undefined;
    const timer = setInterval(() => {
      if (since === undefined) return;
      const idle = clock.now() - since;
      const isSlow = minRate > 0 && waitedMs + idle > GRACE_MS + (received / minRate) * 1000;
      if (idle <= idleMs && !isSlow) return;
      const message = isSlow
        ? `The body came in at less than ${minRate} bytes a second; send it faster.`
        : `No part of the body was received for ${idleMs} ms.`;
      this.#fail(new ServeError('BODY_TIMEOUT', message));
    }, WATCH_MS);
    return {
      waits(now: boolean) {
        if (since !== undefined) waitedMs += clock.now() - since;
        since = now ? clock.now() : undefined;
      },
      received(bytes: number) {
        received += bytes;
      },
      stop: () => clearInterval(timer),
    };
  }

  #refuse(message: string): void {
    this.#fail(invalidArgument(message));
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = asServeError(error);
    this.#failed.abort();
  }
}

/** The library throws for a `Content-Type` without a boundary. */
function createOrRefuse(create: () => BusboyInstance): BusboyInstance {
  try {
    return create();
  } catch (cause) {
    const message = 'The Content-Type of the form must be multipart/form-data with a boundary.';
    throw new ServeError('INVALID_ARGUMENT', message, { cause });
  }
}

const tooLarge = (field: string, limit: number) =>
  new ServeError('PAYLOAD_TOO_LARGE', `The field ${field} has more than ${limit} bytes.`);

function asServeError(thrown: unknown): ServeError {
  const error = asBodyError(thrown);
  if (error instanceof ServeError) return error;
  const isFull = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
  return isFull
    ? new ServeError('STORE_UNAVAILABLE', 'The disk of the server is full.', { cause: error })
    : new ServeError('INTERNAL', 'The server failed to receive the form.', { cause: error });
}
