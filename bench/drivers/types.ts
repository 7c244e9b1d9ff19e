/** @module What every load driver does. */

/** Of a body that is JSON. */
export const JSON_HEADERS = { 'Content-Type': 'application/json' } as const;

export interface Load {
  readonly url: string;
  readonly body: string | Uint8Array;
  /** Of the request, besides those that follow from its body. Default: JSON_HEADERS. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Connections, each with one request in flight. */
  readonly connections: number;
  readonly seconds: number;
}

export interface LoadResult {
  /** Answers with a 2xx status. */
  readonly requests: number;
  /** Length of the measurement, seconds. */
  readonly seconds: number;
  readonly non2xx: number;
  /** Connections refused, reset or timed out. */
  readonly errors: number;
  /** CPU time of the driver, seconds. */
  readonly cpuSeconds: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Called as the load begins, in the harness: where the server is sampled. */
export type OnStart = () => Promise<void>;

export interface Driver {
  readonly name: string;
  /** @returns the version, for the record. @throws when the program is not installed. */
  version(): Promise<string>;
  /** Drives the server from a process of its own. */
  run(load: Load, onStart?: OnStart): Promise<LoadResult>;
}
