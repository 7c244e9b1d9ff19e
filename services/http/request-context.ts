/** @module One request in flight, from its headers to its answer, and the watch over all of them. */

import {
  type BodyBudget,
  BodyShare,
  type Caller,
  type CancelSignal,
  type Clock,
  type IdleTimer,
  ServeError,
} from '../../runtime/index.ts';
import type { BodySource } from './body.ts';

/** Requests that take longer than this are looked after; shorter ones cost the watch nothing. */
const WATCH_MS = 10;

/** A body has so long before it has to come in at the least rate. */
const GRACE_MS = 5000;

/** How long bodies may take. */
export interface BodyTimes {
  /** Longest time in all, milliseconds. */
  readonly timeoutMs: number;
  /** Least bytes a second, counted from the end of the grace; 0 means any. */
  readonly minRate: number;
}

/** The route that a request is on. */
export interface RequestOwner {
  readonly clock: Clock;
  readonly bodies: BodyBudget;
  readonly idleTimeoutSecs: number;
  /** Counts the request as one whose body is slow. @returns Why the server takes no more of them. */
  slow(): ServeError | undefined;
  /** Counts it as in flight again. @returns Why the server takes no more of them. */
  arrived(): ServeError | undefined;
  /** Makes and records the answer that tells of an error. */
  failure(context: RequestContext, error: unknown): Response;
  /** Gives back what the request holds. */
  release(context: RequestContext): void;
}

/**
 * One request. It owns its answer, which the first of three gives: the route, the end of the time its body
 * may take, or the client that leaves. It also stands in for the request's `AbortSignal` (the four
 * members the engine uses of one): making the real one costs several percent of a small request, so it is
 * made only for requests that last.
 */
export class RequestContext implements BodySource, Caller, CancelSignal {
  readonly request: Request;
  readonly id: string;
  /** When the headers were in, on the runtime's clock. */
  readonly startedMs: number;
  /** The client's deadline counted from `startedMs`; undefined where it set none. */
  readonly timeoutMs: number | undefined;
  aborted = false;
  reason: unknown;
  /** Whether the body is still to come. */
  reading = true;
  /** Whether it counts as receiving and not as in flight. */
  slow = false;
  answered = false;
  /** Where the watch keeps it. */
  place = 0;
  readonly #owner: RequestOwner;
  readonly #idle: IdleTimer | undefined;
  #send: ((response: Response) => void) | undefined;
  /** To be called when the client leaves; made by the first run, since some requests never get so far. */
  #listeners: (() => void)[] | undefined;
  #watched = false;
  #share: BodyShare | undefined;
  /** Bytes of the body that have come, or are announced where that cannot be watched. */
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

  /** The request as the signal of its runs. */
  get signal(): CancelSignal {
    return this;
  }

  /** Made when it is first asked for, since small bodies are not counted. */
  get share(): BodyShare {
    if (this.#share === undefined) {
      this.#share = new BodyShare(this.#owner.bodies);
      if (this.answered) this.#share.close();
    }
    return this.#share;
  }

  received(bytes: number): void {
    this.#received = bytes;
  }

  arrived(): void {
    if (!this.reading) return;
    if (this.slow && !this.answered) {
      const refusal = this.#owner.arrived();
      if (refusal !== undefined) throw refusal;
      this.slow = false;
    }
    this.reading = false;
  }

  /** What the host waits for. To be called once, before anything can answer. */
  response(): Promise<Response> {
    return new Promise((resolve) => {
      this.#send = resolve;
    });
  }

  /** Answers, unless that has been done. */
  answer(response: Response): void {
    if (this.answered) return;
    this.answered = true;
    this.#share?.close();
    if (this.#watched) this.#idle?.timeout(this.request, this.#owner.idleTimeoutSecs);
    this.#owner.release(this);
    this.#send?.(response);
  }

  /** Answers with an error, unless there is an answer. */
  fail(error: unknown): void {
    if (!this.answered) this.answer(this.#owner.failure(this, error));
  }

  /** Milliseconds until the client's deadline, not below 0; undefined where it set none. */
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

  /** Called by the watch every `WATCH_MS` from then on, while there is no answer. */
  check(elapsedMs: number, times: BodyTimes): void {
    if (!this.#watched) this.#watchClient();
    if (!this.reading || this.answered) return;
    const late = this.#late(elapsedMs, times) ?? (this.slow ? undefined : this.#owner.slow());
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
    // Its times are watched here from now on.
    this.#idle?.timeout(this.request, 0);
    const { signal } = this.request;
    if (signal.aborted) this.#abort();
    else signal.addEventListener('abort', () => this.#abort(), { once: true });
  }

  #abort(): void {
    if (this.aborted || this.answered) return;
    this.aborted = true;
    this.reason = new ServeError('CANCELLED', 'The client closed the connection.');
    if (this.reading) this.fail(this.reason);
    // A copy, because a listener may remove itself.
    else for (const listener of this.#listeners?.slice() ?? []) listener();
  }
}

/** Looks after every request of this thread that takes longer than `WATCH_MS`. */
export class Watch {
  readonly #clock: Clock;
  readonly #times: BodyTimes;
  /** In any order. An answered one leaves at once: kept for longer, it would survive a collection and cost a slow one. */
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
    // From the end, because a removal moves the last one to the free place.
    for (let i = this.#contexts.length - 1; i >= 0; i -= 1) {
      const context = this.#contexts[i]!;
      const elapsedMs = now - context.startedMs;
      if (elapsedMs >= WATCH_MS) context.check(elapsedMs, this.#times);
    }
  }
}
