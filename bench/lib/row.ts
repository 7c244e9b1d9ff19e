/** @module The result of one measurement of one contender. */
import type { HttpFigures } from './servers.ts';

export interface Row {
  readonly model: string;
  /** Name of the contender; `raw-one` is the raw loop with one row per run. */
  readonly contender: string;
  /** Requests in flight; for the raw loops the rows of a run. */
  readonly width: number;
  readonly repeat: number;
  /** Requests or items per second. */
  readonly perSecond: number;
  /** CPU time of all threads of the server, µs per request. */
  readonly serverCpuUs: number;
  /** The reason why the row is invalid, such as a response that was not 2xx. */
  readonly failure?: string;
  readonly http?: HttpFigures;
}
