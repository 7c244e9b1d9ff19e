/** @module Polls the repository for changes. */

import type { Bus } from './bus.ts';
import type { Config } from './config/index.ts';
import { ServeError } from './errors.ts';
import type { Log } from './log.ts';

/**
 * With `MODEL_CONTROL_MODE=poll`: makes every HTTP thread apply the changes of the repository, each
 * `REPOSITORY_POLL_MS`. A poll that fails is logged, unless the poll before it failed for the same reason.
 *
 * @returns a function that ends the polls
 */
export function startPolling(
  { modelControlMode, repositoryPollMs }: Config,
  bus: Bus,
  log: Log,
): () => void {
  if (modelControlMode !== 'poll') return () => {};
  let polling = false;
  let lastFailure = '';
  const poll = async () => {
    // A poll may take longer than the time between two of them.
    if (polling) return;
    polling = true;
    const failure = await bus.publish({ kind: 'refresh' }).then(() => '', reasonOf);
    polling = false;
    if (failure !== '' && failure !== lastFailure) log.error({ reason: failure }, 'poll failed');
    lastFailure = failure;
  };
  const timer = setInterval(() => void poll(), repositoryPollMs);
  timer.unref?.();
  return () => clearInterval(timer);
}

/** Why a poll failed; '' if the server is stopping, which also ends the polls. */
function reasonOf(error: unknown): string {
  if (error instanceof ServeError && error.code === 'DRAINING') return '';
  return error instanceof Error ? error.message : String(error);
}
