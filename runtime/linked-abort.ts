/** @module Work of a request that is aborted with the request, or sooner. */

import type { CancelSignal } from '../native/index.ts';

/** A controller that aborts with an outer signal, too, until it is unlinked from it. */
export interface LinkedAbort {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Must be called when the work has ended, because the outer signal may live longer. */
  unlink(): void;
}

export function linkedAbort(outer: CancelSignal | undefined): LinkedAbort {
  const controller = new AbortController();
  const follow = () => controller.abort(outer?.reason);
  if (outer?.aborted) follow();
  else outer?.addEventListener('abort', follow);
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => outer?.removeEventListener('abort', follow),
  };
}
