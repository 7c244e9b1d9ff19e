/** @module What happens to an error that no code has caught. */

import { exit, type Log, onUncaughtError } from '../runtime/index.ts';

/**
 * Codes of cut connections. A client of a database may throw such an error outside of any call: the calls that it concerns
 * have failed with errors of their own.
 */
const CONNECTION =
  /^(?:E(?:CONN\w+|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH)|CONNECT_TIMEOUT|CONNECTION_\w+|ERR_POSTGRES_CONNECTION_\w+|57P0[1-3])$/;

/**
 * Ends this thread at an error that nothing catches, because nobody knows what state it has left, except at one of a
 * connection. If the thread is one of several, the main thread then ends the process.
 */
export function handleUncaught(log: Log): void {
  onUncaughtError((error) => {
    if (isConnectionError(error)) return log.error({ err: error }, 'a connection failed');
    log.fatal({ err: error }, 'an error that nothing has caught');
    exit(1);
  });
}

function isConnectionError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && CONNECTION.test(code);
}
