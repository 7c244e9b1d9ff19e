/**
 * Client for any server of the Open Inference Protocol V2. It needs only `fetch`, so it also runs in
 * browsers.
 *
 * ```ts
 * import { createClient } from 'millrace/client';
 *
 * const client = createClient('http://localhost:8000');
 * const features = { type: 'float32', dims: [1, 4], data: Float32Array.of(5.1, 3.5, 1.4, 0.2) } as const;
 * const { outputs } = await client.infer('iris', { features });
 * ```
 *
 * @module
 */

import {
  type AnyModels,
  type AnyTensor,
  type Inference,
  type InferenceCode,
  InferenceError,
  type InferOptions,
  type InferResponse,
  type ModelMetadata,
  type ModelTypes,
} from './contract.ts';
import { RetryBudget, type RetryOptions, type Waiting, withRetries } from './retry.ts';
import { decodeResponse, elementType, encodeRequest, HEADER_LENGTH } from './wire.ts';

export type { ElementData, ElementType } from '../../../runtime/index.ts';
export * from './contract.ts';
export type { RetryOptions } from './retry.ts';

/** The part of `fetch` that the client uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface ClientOptions {
  /** Encoding of tensors in requests and responses. Default: `binary`. */
  readonly format?: 'binary' | 'json';
  /** Timeout of requests that set none, milliseconds. Default: 60 000. */
  readonly timeoutMs?: number;
  /** Default: three attempts. `false` means one. */
  readonly retries?: RetryOptions | false;
  /**
   * Sends a request a second time if there is no response after so many milliseconds, and takes the first
   * response. This costs the server up to twice the work. Default: never.
   */
  readonly hedgeAfterMs?: number;
  /** Headers of every request, such as an API key. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Used instead of the global `fetch`. */
  readonly fetch?: Fetch;
  readonly waiting?: Waiting;
}

type Tensors = Readonly<Record<string, AnyTensor>>;

/** @param url The server's address, such as `http://localhost:8000`. */
export function createClient<M extends { readonly [Name in keyof M]: ModelTypes } = AnyModels>(
  url: string,
  options: ClientOptions = {},
): Inference<M> {
  return new HttpClient(url, options) as unknown as Inference<M>;
}

const systemWaiting: Waiting = {
  random: Math.random,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      function done() {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done);
    }),
};

class HttpClient implements Inference {
  readonly #base: string;
  readonly #options: ClientOptions;
  readonly #fetch: Fetch;
  readonly #waiting: Waiting;
  readonly #budget = new RetryBudget();
  readonly #closed = new AbortController();

  constructor(url: string, options: ClientOptions) {
    this.#base = new URL(url).href.replace(/\/$/, '');
    this.#options = options;
    this.#fetch = options.fetch ?? ((url, init) => fetch(url, init));
    this.#waiting = options.waiting ?? systemWaiting;
  }

  async infer(
    model: string,
    inputs: Tensors,
    options: InferOptions<Tensors> = {},
  ): Promise<InferResponse<Tensors>> {
    const { format = 'binary', timeoutMs: usual = 60_000, retries = {} } = this.#options;
    const { timeoutMs = usual, outputs, priority, id } = options;
    const { body, headers } = encodeRequest({ inputs, outputs, priority, id }, format === 'binary');
    const path = `${modelPath(model, options.version)}/infer`;
    const ends = performance.now() + timeoutMs;
    const signal = this.#signal(timeoutMs, options.signal);
    const send = async (own: AbortSignal) => {
      const left = Math.max(Math.ceil(ends - performance.now()), 1);
      const request = {
        method: 'POST',
        headers: { ...headers, 'X-Request-Timeout-Ms': String(left) },
        body,
      };
      const response = await this.#request(path, request, own);
      const bytes = await response.arrayBuffer().catch(this.#unreachable);
      return decodeResponse(new Uint8Array(bytes), response.headers.get(HEADER_LENGTH));
    };
    const attempt = () => this.#hedged(send, signal);
    try {
      if (retries === false) return await attempt();
      return await withRetries(attempt, retries, this.#budget, signal, this.#waiting);
    } catch (error) {
      throw this.#closing(error, options.signal, signal);
    }
  }

  async models(): Promise<readonly string[]> {
    const { models } = await this.#get<{ models: string[] }>('/v2/models');
    return models;
  }

  async metadata(model: string, version?: string): Promise<ModelMetadata> {
    type Wire = { readonly name: string; readonly datatype: string; readonly shape: number[] };
    const found = await this.#get<{
      readonly name: string;
      readonly versions?: string[];
      readonly inputs: readonly Wire[];
      readonly outputs: readonly Wire[];
    }>(modelPath(model, version));
    const tensors = (all: readonly Wire[]) =>
      all.map(({ name, datatype, shape }) => ({ name, type: elementType(datatype), dims: shape }));
    const { name, versions = [], inputs, outputs } = found;
    return { name, versions, inputs: tensors(inputs), outputs: tensors(outputs) };
  }

  async ready(model?: string): Promise<boolean> {
    const path = model === undefined ? '/v2/health/ready' : `${modelPath(model)}/ready`;
    try {
      await this.#request(path, {}, this.#signal(this.#options.timeoutMs ?? 60_000));
      return true;
    } catch (error) {
      // A server that is not ready says so without a code.
      if (error instanceof InferenceError && /NOT_READY|DRAINING/.test(error.code)) return false;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  async #get<T>(path: string): Promise<T> {
    const signal = this.#signal(this.#options.timeoutMs ?? 60_000);
    const response = await this.#request(path, {}, signal);
    return (await response.json().catch(this.#unreachable)) as T;
  }

  /** Sends once, or twice if there is no response within the hedging delay, and takes the first response. */
  async #hedged<T>(send: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { hedgeAfterMs } = this.#options;
    if (hedgeAfterMs === undefined) return send(signal);
    const over = new AbortController();
    const own = AbortSignal.any([signal, over.signal]);
    const second = async () => {
      await this.#waiting.sleep(hedgeAfterMs, own);
      if (own.aborted || !this.#budget.allows) throw new InferenceError('CANCELLED', 'Not sent.');
      return send(own);
    };
    const first = send(own);
    try {
      // An error of the first request is the result, unless the second has already been sent.
      return await Promise.any([first, second()]);
    } catch {
      return await first;
    } finally {
      over.abort();
    }
  }

  #signal(timeoutMs: number, own?: AbortSignal): AbortSignal {
    const signals = [this.#closed.signal, AbortSignal.timeout(timeoutMs)];
    return AbortSignal.any(own === undefined ? signals : [...signals, own]);
  }

  async #request(path: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    const headers = { ...this.#options.headers, ...(init.headers as Record<string, string>) };
    const response = await this.#fetch(this.#base + path, { ...init, headers, signal }).catch(
      this.#unreachable,
    );
    if (response.ok) return response;
    throw await refusal(response);
  }

  readonly #unreachable = (cause: unknown): never => {
    const message = `The server ${this.#base} did not respond.`;
    throw new InferenceError('UNREACHABLE', message, { cause });
  };

  /** Maps an abort to its cause: the caller's own reason, the timeout, or `close()`. */
  #closing(error: unknown, own: AbortSignal | undefined, signal: AbortSignal): unknown {
    if (own?.aborted) return own.reason;
    if (!(error instanceof InferenceError) || !signal.aborted) return error;
    return this.#closed.signal.aborted
      ? new InferenceError('CANCELLED', 'The client was closed.')
      : new InferenceError('DEADLINE_EXCEEDED', 'There was no response within the timeout.');
  }
}

function modelPath(model: string, version?: string): string {
  const path = `/v2/models/${encodeURIComponent(model)}`;
  return version === undefined ? path : `${path}/versions/${encodeURIComponent(version)}`;
}

/** Codes for the statuses of other servers, which send no code. */
const BY_STATUS: Readonly<Record<string, InferenceCode>> = {
  '400': 'INVALID_ARGUMENT',
  '404': 'MODEL_NOT_FOUND',
  '413': 'PAYLOAD_TOO_LARGE',
  '415': 'UNSUPPORTED_MEDIA_TYPE',
  '429': 'OVERLOADED',
  '503': 'MODEL_NOT_READY',
  '504': 'DEADLINE_EXCEEDED',
};

async function refusal(response: Response): Promise<InferenceError> {
  const text = await response.text().catch(() => '');
  const { error, code } = parsed(text);
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new InferenceError(
    code ?? BY_STATUS[String(response.status)] ?? 'INTERNAL',
    error ?? `The server returned status ${response.status}.`,
    { retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined },
  );
}

function parsed(text: string): { readonly error?: string; readonly code?: InferenceCode } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
