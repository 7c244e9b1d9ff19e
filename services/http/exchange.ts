/** @module One request in flight, from its headers to its answer, and the watch over all of them. */

import { type CancelSignal, type Clock, ServeError } from '../../runtime/index.ts';

/** Requests that take longer than this are looked after; shorter ones cost the watch nothing. */
const WATCH_MS = 10;

/**
 * One request. It owns what happens when the client leaves or the body does not come, and stands in for
 * the request's `AbortSignal` (the four members the engine uses of one): making the real one costs
 * several percent of a small request, so it is made only for requests that last.
 */
export class Exchange implements CancelSignal {
  readonly request: Request;
  readonly id: string;
  /** When the headers were in, on the runtime's clock. */
  readonly startedMs: number;
  /** The client's deadline counted from `startedMs`; undefined where it set none. */
  readonly timeoutMs: number | undefined;
  /** Why the request is not served, decided before its body is read. */
  readonly refusal: ServeError | undefined;
  aborted = false;
  reason: unknown;
  #onAbort: (() => void) | undefined;
  /** Ends the reading of the body; there only while it is read. */
  #failBody: ((error: ServeError) => void) | undefined;
  #watched = false;

  constructor(
    request: Request,
    id: string,
    startedMs: number,
    timeoutMs: number | undefined,
    refusal: ServeError | undefined,
  ) {
    this.request = request;
    this.id = id;
    this.startedMs = startedMs;
    this.timeoutMs = timeoutMs;
    this.refusal = refusal;
  }

  /** Milliseconds until the client's deadline, not below 0; undefined where it set none. */
  timeLeft(clock: Clock): number | undefined {
    if (this.timeoutMs === undefined) return undefined;
    return Math.max(this.timeoutMs - (clock.now() - this.startedMs), 0);
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#onAbort = listener;
  }

  removeEventListener(): void {
    this.#onAbort = undefined;
  }

  /**
   * Waits for the body, at most until the watch ends it.
   *
   * @throws {ServeError} `BODY_INCOMPLETE`, `BODY_TIMEOUT`, `DEADLINE_EXCEEDED` or what the reading threw.
   */
  body(reading: Promise<string>): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#failBody = reject;
      reading.then(
        (text) => {
          this.#failBody = undefined;
          resolve(text);
        },
        (error) => reject(error instanceof ServeError ? error : incomplete()),
      );
    });
  }

  /** Called by the watch every `WATCH_MS` while the request is in flight. */
  check(elapsedMs: number, bodyTimeoutMs: number): void {
    if (!this.#watched) this.#watchClient();
    if (this.#failBody === undefined) return;
    if (this.timeoutMs !== undefined && elapsedMs > this.timeoutMs) {
      this.#failBody(
        new ServeError('DEADLINE_EXCEEDED', 'The body was not received by the deadline.'),
      );
    } else if (elapsedMs > bodyTimeoutMs) {
      this.#failBody(
        new ServeError('BODY_TIMEOUT', `The body was not received within ${bodyTimeoutMs} ms.`),
      );
    }
  }

  #watchClient(): void {
    this.#watched = true;
    const { signal } = this.request;
    if (signal.aborted) this.#abort();
    else signal.addEventListener('abort', () => this.#abort(), { once: true });
  }

  #abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = new ServeError('CANCELLED', 'The client closed the connection.');
    this.#failBody?.(this.reason as ServeError);
    this.#onAbort?.();
  }
}

function incomplete(): ServeError {
  return new ServeError(
    'BODY_INCOMPLETE',
    'The connection ended before the whole body was received.',
  );
}

/** Every request in flight on this thread, looked at now and then. */
export class Exchanges {
  readonly #open = new Set<Exchange>();
  readonly #clock: Clock;
  readonly #bodyTimeoutMs: number;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(clock: Clock, bodyTimeoutMs: number) {
    this.#clock = clock;
    this.#bodyTimeoutMs = bodyTimeoutMs;
  }

  add(exchange: Exchange): void {
    this.#open.add(exchange);
    this.#timer ??= setInterval(() => this.#sweep(), WATCH_MS);
  }

  delete(exchange: Exchange): void {
    this.#open.delete(exchange);
  }

  /** The timer outlives a request by one round, so that a busy thread does not set it for each. */
  #sweep(): void {
    if (this.#open.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = this.#clock.now();
    for (const exchange of this.#open) {
      const elapsedMs = now - exchange.startedMs;
      if (elapsedMs >= WATCH_MS) exchange.check(elapsedMs, this.#bodyTimeoutMs);
    }
  }
}
