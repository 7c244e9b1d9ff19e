/** @module The interface of a load driver. */

/** The headers of a JSON body. */
export const JSON_HEADERS = { 'Content-Type': 'application/json' } as const;

export interface Load {
  readonly url: string;
  readonly body: string | Uint8Array;
  /** Headers of the request, besides Content-Length and Host. Default: JSON_HEADERS. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The number of connections, each with one request in flight. */
  readonly connections: number;
  readonly seconds: number;
}

export interface LoadResult {
  /** The number of responses with a 2xx status. */
  readonly requests: number;
  /** Length of the measurement, seconds. */
  readonly seconds: number;
  readonly non2xx: number;
  /** The number of connections that were refused, reset or timed out. */
  readonly errors: number;
  /** CPU time of the driver, seconds. */
  readonly cpuSeconds: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Called when the load begins, to start sampling the server. */
export type OnStart = () => Promise<void>;

export interface Driver {
  readonly name: string;
  /** @returns the version, for the record. @throws when the program is not installed. */
  version(): Promise<string>;
  /** Drives the server from a separate process. */
  run(load: Load, onStart?: OnStart): Promise<LoadResult>;
}
