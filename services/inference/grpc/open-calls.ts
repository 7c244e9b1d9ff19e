/** @module The calls of a gRPC server that are in flight, and how they end when the server stops. */

import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { InFlightCount, ServeError } from '../../../runtime/index.ts';
import { fitTrailer, toStatus } from './status.ts';

/** The error with which the server ends calls that their clients keep open. */
const STOPPING = new ServeError('DRAINING', 'The server is shutting down; retry elsewhere.');

export class OpenCalls {
  /** Calls that have not got their last response. */
  readonly inFlight = new InFlightCount();
  /** A function for each call that its client may keep open, which ends that call. */
  readonly #endings = new Set<(reason: ServeError) => void>();
  #stopped = false;

  /** Calls `end` when the server stops, unless the returned function was called before. */
  endOnStop(end: (reason: ServeError) => void): () => void {
    if (this.#stopped) end(STOPPING);
    else this.#endings.add(end);
    return () => this.#endings.delete(end);
  }

  /** Ends streams, and resolves when no call is in flight. */
  stop(): Promise<void> {
    this.#stopped = true;
    for (const end of this.#endings) end(STOPPING);
    return this.inFlight.idle();
  }

  /**
   * Intercepts the calls of services that libraries implement (health, reflection): it ends their streams when the
   * server stops, and shortens the messages of their statuses, which repeat what the client sent.
   *
   * @param own The start of the paths of all other calls, which are not intercepted.
   */
  readonly interceptor =
    (own: string): ServerInterceptor =>
    (method, call) => {
      if (method.path.startsWith(own)) return new ServerInterceptingCall(call);
      // If the server has stopped, the call ends before there is anything to forget.
      let forget: (() => void) | undefined;
      const guarded = new ServerInterceptingCall(call, {
        start: (next) => next({ onCancel: () => forget?.() }),
        sendStatus: (given, next) => {
          forget?.();
          next({ ...given, details: fitTrailer(given.details) });
        },
      });
      forget = this.endOnStop((reason) => {
        const { code, details } = toStatus(reason);
        guarded.sendStatus({ code, details, metadata: null });
      });
      return guarded;
    };
}
