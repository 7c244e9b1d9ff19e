/** @module One measurement of one contender. */
import type { HttpFigures } from './servers.ts';

export interface Row {
  readonly model: string;
  /** Name of the contender; `raw-one` is the raw loop with one row a run. */
  readonly contender: string;
  /** Requests in flight; for the raw loops the rows of a run. */
  readonly width: number;
  readonly repeat: number;
  /** Requests or items a second. */
  readonly perSecond: number;
  /** CPU time of all the server's threads, µs a request. */
  readonly serverCpuUs: number;
  /** The reason why the row does not count, such as a response that was not 2xx. */
  readonly failure?: string;
  readonly http?: HttpFigures;
}
