/** @module The state of an infer request from its headers to its response, and the timer that checks slow requests. */

import {
  type BodyBudget,
  BodyShare,
  type CacheOutcome,
  type Caller,
  type CancelSignal,
  type Clock,
  type HeaderReader,
  type IdleTimer,
  type Principal,
  ServeError,
} from '../../runtime/index.ts';
import type { BodySource } from './body.ts';
import { errorResponse, toServeError } from './error-response.ts';

/** The watch checks requests that take longer than this. Shorter requests cost it nothing. */
const WATCH_MS = 10;

/** The minimum rate of a body applies after this time. */
const GRACE_MS = 5000;

/** Limits on the time that a body may take. */
export interface BodyTimes {
  /** Maximum time for the whole body, milliseconds. */
  readonly timeoutMs: number;
  /** Minimum bytes per second after `GRACE_MS`; 0 means no minimum. */
  readonly minRate: number;
}

/** What a request needs from the route that serves it. */
export interface RequestOwner {
  readonly clock: Clock;
  readonly bodies: BodyBudget;
  readonly idleTimeoutSecs: number;
  /** Counts the request as receiving a slow body. @returns the refusal if there are too many of these. */
  startReceiving(): ServeError | undefined;
  /** Counts the request as in flight again. @returns the refusal if too many are in flight. */
  endReceiving(): ServeError | undefined;
  /** Creates and records the error response. */
  failure(context: RequestContext, error: unknown): Response;
  /** Releases the permit of the request. */
  release(context: RequestContext): void;
}

/**
 * One infer request. Its response comes from whichever is first: the route, a time limit of the body, or a
 * client that disconnects. The object also acts as the `AbortSignal` of the request, with the four members
 * that the engine uses: creating the real signal costs several percent of a small request, so only requests
 * that take longer than `WATCH_MS` create it.
 */
export class RequestContext implements BodySource, Caller, CancelSignal {
  readonly request: Request;
  readonly id: string;
  /** When the headers had arrived, in milliseconds of the runtime's clock. */
  readonly startedMs: number;
  /** The client's timeout, milliseconds from `startedMs`; undefined if it set none. */
  readonly timeoutMs: number | undefined;
  aborted = false;
  reason: unknown;
  /** Whether the body has not arrived completely. */
  reading = true;
  /** Whether the request counts as receiving a slow body instead of as in flight. */
  slow = false;
  /** Whether the response, or its beginning, has been sent to the host. */
  responded = false;
  /** Whether the whole response has been sent to the host. */
  #ended = false;
  /** Index in the list of the watch. */
  place = 0;
  /** Set before the request is served. */
  principal: Principal | undefined;
  /** Set when a route has chosen a version for the request. */
  modelVersion: string | undefined;
  /** As in `Caller`. */
  cache: CacheOutcome | undefined;
  readonly #owner: RequestOwner;
  readonly #idle: IdleTimer | undefined;
  #send: ((response: Response) => void) | undefined;
  /** Called when the client disconnects. The list is created with its first listener. */
  #listeners: (() => void)[] | undefined;
  #watched = false;
  #share: BodyShare | undefined;
  /** Bytes of the body that have arrived, or its announced length if the host reads it in one piece. */
  #received = 0;

  constructor(
    owner: RequestOwner,
    request: Request,
    id: string,
    startedMs: number,
    timeoutMs: number | undefined,
    idle?: IdleTimer,
  ) {
    this.#owner = owner;
    this.request = request;
    this.#idle = idle;
    this.id = id;
    this.startedMs = startedMs;
    this.timeoutMs = timeoutMs;
  }

  /** The cancel signal of the request's runs, which is the request itself. */
  get signal(): CancelSignal {
    return this;
  }

  get headers(): HeaderReader {
    return this.request.headers;
  }

  /** The request's share of the byte budget. It is created on first use, because small bodies are not counted. */
  get share(): BodyShare {
    if (this.#share === undefined) {
      this.#share = new BodyShare(this.#owner.bodies);
      if (this.#ended) this.#share.close();
    }
    return this.#share;
  }

  received(bytes: number): void {
    this.#received = bytes;
  }

  arrived(): void {
    if (!this.reading) return;
    if (this.slow && !this.responded) {
      const refusal = this.#owner.endReceiving();
      if (refusal !== undefined) throw refusal;
      this.slow = false;
    }
    this.reading = false;
  }

  /** The promise that the host waits for. Must be called once, before anything can respond. */
  response(): Promise<Response> {
    return new Promise((resolve) => {
      this.#send = resolve;
    });
  }

  /** Sends the response and releases what the request holds. Does nothing after the first response. */
  respond(response: Response): void {
    if (this.responded) return;
    this.responded = true;
    this.end();
    this.#send?.(response);
  }

  /** Sends a response whose body goes on until `end()` is called. Does nothing after the first response. */
  begin(response: Response): void {
    if (this.responded) return;
    this.responded = true;
    // The host's idle timer would end a response that pauses.
    if (!this.#watched) this.#watchClient();
    this.#send?.(response);
  }

  /** Releases what the request holds. Does nothing when called again. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#share?.close();
    if (this.#watched) this.#idle?.timeout(this.request, this.#owner.idleTimeoutSecs);
    this.#owner.release(this);
  }

  /** Responds with an error. Does nothing after the first response. */
  fail(error: unknown): void {
    if (!this.responded) this.respond(this.#failure(error));
  }

  /** A request must not stay without a response because its error could not be recorded. */
  #failure(error: unknown): Response {
    try {
      return this.#owner.failure(this, error);
    } catch (cause) {
      return errorResponse(toServeError(cause), this.id);
    }
  }

  /** Milliseconds until the client's deadline, at least 0; undefined if it set none. */
  timeLeft(): number | undefined {
    if (this.timeoutMs === undefined) return undefined;
    return Math.max(this.timeoutMs - (this.#owner.clock.now() - this.startedMs), 0);
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners ??= [];
    this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    const at = this.#listeners?.indexOf(listener) ?? -1;
    if (at !== -1) this.#listeners?.splice(at, 1);
  }

  /** Called by the watch every `WATCH_MS` until there is a response. */
  check(elapsedMs: number, times: BodyTimes): void {
    if (!this.#watched) this.#watchClient();
    if (!this.reading || this.responded) return;
    const late =
      this.#late(elapsedMs, times) ?? (this.slow ? undefined : this.#owner.startReceiving());
    if (late === undefined) this.slow = true;
    else this.fail(late);
  }

  #late(elapsedMs: number, { timeoutMs, minRate }: BodyTimes): ServeError | undefined {
    if (this.timeoutMs !== undefined && elapsedMs > this.timeoutMs) {
      return new ServeError('DEADLINE_EXCEEDED', 'The body was not received by the deadline.');
    }
    if (elapsedMs > timeoutMs) {
      return new ServeError('BODY_TIMEOUT', `The body was not received within ${timeoutMs} ms.`);
    }
    if (minRate > 0 && elapsedMs > GRACE_MS + (this.#received / minRate) * 1000) {
      return new ServeError(
        'BODY_TIMEOUT',
        `The body came in at less than ${minRate} bytes a second; send it faster.`,
      );
    }
    return undefined;
  }

  #watchClient(): void {
    this.#watched = true;
    // From now on the watch enforces the time limits, so the host's idle timer is off.
    this.#idle?.timeout(this.request, 0);
    const { signal } = this.request;
    if (signal.aborted) this.abort();
    else signal.addEventListener('abort', () => this.abort(), { once: true });
  }

  /** The client no longer waits for the response, or for the rest of it. */
  abort(): void {
    if (this.aborted || this.#ended) return;
    this.aborted = true;
    this.reason = new ServeError('CANCELLED', 'The client closed the connection.');
    if (this.reading) this.fail(this.reason);
    // The list is copied, because a listener may remove itself.
    else for (const listener of this.#listeners?.slice() ?? []) listener();
  }
}

/** Checks every request of this thread that takes longer than `WATCH_MS`, until it has a response. */
export class Watch {
  readonly #clock: Clock;
  readonly #times: BodyTimes;
  /**
   * The requests, in any order. A request is removed with its response: if it stayed longer, it would survive a
   * minor garbage collection and be freed by a slow major one.
   */
  readonly #contexts: RequestContext[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(clock: Clock, times: BodyTimes) {
    this.#clock = clock;
    this.#times = times;
  }

  add(context: RequestContext): void {
    context.place = this.#contexts.push(context) - 1;
    this.#timer ??= setInterval(() => this.#round(), WATCH_MS);
  }

  remove(context: RequestContext): void {
    const last = this.#contexts.pop()!;
    if (last === context) return;
    this.#contexts[context.place] = last;
    last.place = context.place;
  }

  /** The timer outlives the last request by a round, so that a busy thread does not set it for each. */
  #round(): void {
    if (this.#contexts.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    const now = this.#clock.now();
    // The loop runs backwards, because a removal moves the last request into the gap.
    for (let i = this.#contexts.length - 1; i >= 0; i -= 1) {
      const context = this.#contexts[i]!;
      const elapsedMs = now - context.startedMs;
      if (elapsedMs >= WATCH_MS) context.check(elapsedMs, this.#times);
    }
  }
}
