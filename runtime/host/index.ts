/** @module The host on which this process runs. */

import process from 'node:process';
import { bunHost } from './bun.ts';
import { denoHost } from './deno.ts';
import type { Host } from './host.ts';

export {
  type Host,
  type IdleTimer,
  type Listener,
  type ListenOptions,
  listenError,
  type RequestHandler,
} from './host.ts';
export {
  collectGarbage,
  exit,
  onStopSignal,
  onUncaughtError,
  type Parent,
  parentThread,
  startOfProcess,
  startThread,
  type Thread,
} from './process.ts';
export {
  type SqlConnection,
  SqlError,
  type SqlPool,
  type SqlPoolOptions,
  type SqlResult,
  type SqlRunner,
} from './sql.ts';

export function currentHost(): Host {
  return process.versions.deno === undefined ? bunHost : denoHost;
}
