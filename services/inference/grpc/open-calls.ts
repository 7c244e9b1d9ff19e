/** @module The calls that a gRPC server has under way, and how they end when it stops. */

import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { InFlightCount, ServeError } from '../../../runtime/index.ts';
import { fitTrailer, toStatus } from './status.ts';

/** Why a call ends that its client has not ended. */
const STOPPING = new ServeError('DRAINING', 'The server is shutting down; retry elsewhere.');

export class OpenCalls {
  /** Calls that have not been answered. */
  readonly unanswered = new InFlightCount();
  /** How to end each call that its client may keep open. */
  readonly #endings = new Set<(reason: ServeError) => void>();
  #stopped = false;

  /** Has `end` called when the server stops, unless the returned function was called before. */
  endOnStop(end: (reason: ServeError) => void): () => void {
    if (this.#stopped) end(STOPPING);
    else this.#endings.add(end);
    return () => this.#endings.delete(end);
  }

  /** Ends streams, and resolves when every call is answered. */
  stop(): Promise<void> {
    this.#stopped = true;
    for (const end of this.#endings) end(STOPPING);
    return this.unanswered.idle();
  }

  /**
   * Of calls of services that libraries bring along (health, reflection): streams end when the server
   * stops, and messages of statuses, which repeat what the client sent, stay short.
   *
   * @param own How paths of the other calls start, which are left alone.
   */
  readonly interceptor =
    (own: string): ServerInterceptor =>
    (method, call) => {
      if (method.path.startsWith(own)) return new ServerInterceptingCall(call);
      const guarded = new ServerInterceptingCall(call, {
        start: (next) => next({ onCancel: () => forget() }),
        sendStatus: (given, next) => {
          forget();
          next({ ...given, details: fitTrailer(given.details) });
        },
      });
      const forget = this.endOnStop((reason) => {
        const { code, details } = toStatus(reason);
        guarded.sendStatus({ code, details, metadata: null });
      });
      return guarded;
    };
}
